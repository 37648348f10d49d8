"""`facet doctor`: what is wrong with a setup, and how to fix it."""

import argparse
import dataclasses

from facet.cli.arguments import add_json, add_root, print_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Check Python, packages, params.yaml, disk, GPU, Prefect server, schedule, worker, remote, champions, arrivals "
        "and messages. The exit code is 1 if something must be fixed."
    )
    command.epilog = "example:\n  facet doctor"
    add_json(command)
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from flows.doctor import examine

    findings = []
    for finding in examine(args.root):
        findings.append(finding)
        if not args.json:
            print(finding, flush=True)  # some checks take seconds
    if args.json:
        print_json([dataclasses.asdict(finding) for finding in findings])
    return int(any(finding.level == "FAIL" for finding in findings))
