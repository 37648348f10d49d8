"""`facet export`: write a trained system as ONNX graphs."""

import argparse
from pathlib import Path

from facet.cli.arguments import add_json, add_root, print_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Write the champion of a system (before the first promotion, the model trained last) as ONNX graphs: encode, "
        "edit and decode, with a description of what they take and give, for programs without torch and without Facet. "
        "Every graph is compared with torch before the folder gets its name."
    )
    command.epilog = "example:\n  facet export vigan --onnx vigan-onnx"
    command.add_argument("system", metavar="SYSTEM", help="a system of params.yaml")
    command.add_argument("--onnx", type=Path, required=True, metavar="OUT", help="folder to write")
    command.add_argument("--candidate", action="store_true", help="the model trained last instead of the champion")
    add_json(command, "print the largest difference of each graph from torch as JSON")
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import torch

    from facet.editing.editor import Editor
    from facet.exporting.folder import TOLERANCE, export
    from facet.nights.champions import latest_paths, live_paths

    model, attributes = (latest_paths if args.candidate else live_paths)(args.root, args.system)
    differences = export(Editor.load(model, attributes, torch.device("cpu")), args.onnx)
    if args.json:
        print_json(differences)
        return 0
    words = ", ".join(f"{name} {value:.1e}" for name, value in differences.items())
    print(f"{args.onnx}: largest differences from torch {words} (at most {TOLERANCE:g})")
    return 0
