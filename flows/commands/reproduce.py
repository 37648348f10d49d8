"""`facet reproduce`: run every stage whose inputs changed."""

import argparse
import functools
import sys

from facet.base import project
from facet.cli.arguments import add_root, positive


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Run every stage whose inputs changed, as a Prefect flow on the server of PREFECT_API_URL, or on a temporary "
        "one if it is not set; where nothing changed, no flow starts. Ctrl-C ends the running stages; training resumes "
        "next time."
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
    from flows import lockfile, server
    from flows.dag import look, select

    if mended := lockfile.mend(args.root):
        print(mended, file=sys.stderr)
    needs, stale = look(args.root)  # a broken dvc.yaml and an unknown stage are refused before a server is started
    if args.stages:
        needs = select(needs, args.stages)
    if not args.force and stale is not None and stale.isdisjoint(needs):
        print(f"{len(needs)} stages are up to date; nothing to do", file=sys.stderr)
        return 0
    server.check(args.root)
    from prefect.client.schemas.objects import State

    from flows.reproduce import leave, reproduce

    run: functools.partial[State[None]] = functools.partial(
        reproduce, stages=args.stages or None, root=args.root, jobs=args.jobs, force=args.force, return_state=True
    )
    try:
        result: object = server.running(run).result(raise_on_failure=False)
    except KeyboardInterrupt:
        leave()
    if isinstance(result, BaseException):
        raise result
    return 0
