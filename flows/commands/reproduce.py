"""`facet reproduce`: run every stage whose inputs changed."""

import argparse

from facet.base import project
from facet.cli.arguments import add_root, positive


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Run every stage whose inputs changed, as a Prefect flow on the server of PREFECT_API_URL, or on a temporary "
        "one if it is not set. Ctrl-C ends the running stages; training resumes next time."
    )
    command.epilog = "examples:\n  facet reproduce\n  facet reproduce evaluate@vigan --jobs 2"
    command.add_argument(
        "stages",
        nargs="*",
        metavar="STAGE",
        help="run only these and the stages they need; train_gan means every train_gan@…",
    )
    command.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="stages at the same time (default: cores / compute.threads; 1 on a GPU)",
    )
    command.add_argument("--force", action="store_true", help="run the stages even if nothing changed")
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    project.check_clone(args.root)
    from flows.dag import select, stage_needs

    needs = stage_needs(args.root)  # a broken dvc.yaml and an unknown stage are refused before a server is started
    if args.stages:
        select(needs, args.stages)
    from flows.commands import server
    from flows.reproduce import leave, reproduce

    server.check()
    try:
        reproduce(stages=args.stages or None, root=args.root, jobs=args.jobs, force=args.force)
    except KeyboardInterrupt:
        leave()
    return 0
