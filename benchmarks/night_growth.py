"""Cost of a night that adds few photos to many, step by step.

    python benchmarks/night_growth.py [--old 50000] [--new 500] [--set KEY=VALUE ...] [--folder FOLDER]

A copy of this working tree with profile `nightly`, on drawn faces: a night with the old photos, a night with the new
ones, a night without any. The steps on data (intake, source, prepare) are timed once more on the new photos alone: the
time beyond that in the second night is work on the old photos done again. Training, encoding, attribute vectors and
gate belong to a new model and are new work. `--set train_gan.vigan.steps=200` makes training small."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINE = re.compile(r"^(\d\d:\d\d:\d\d\.\d{3}) \| \w+ +\| (?:Task|Flow) run '([^']+)'")
DATA = ("take_in", "source", "prepare")  # steps that read photos, whatever the model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=int, default=50_000)
    parser.add_argument("--new", type=int, default=500)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="sets")
    parser.add_argument("--folder", type=Path, help="folder to work in, which is kept")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        place = args.folder or Path(made)
        place.mkdir(parents=True, exist_ok=True)
        for number, count in enumerate((args.old, args.new)):
            if not (place / f"faces{number}").exists():
                facet(ROOT, "draw", str(place / f"faces{number}"), "--count", str(count), "--seed", str(number + 1))
        big, small = (project(place / name, args.sets) for name in ("many", "few"))
        nights = {}
        for number, night in enumerate(("old", "new", "none")):
            if number < 2:
                deliver(place / f"faces{number}", big)
            nights[night] = steps(facet(big, "nightly", "--night", night))
        deliver(place / "faces1", small)
        alone = alone_with(small)
    print_table(nights, alone, args.old, args.new)


def project(folder: Path, sets: list[str]) -> Path:
    """Copy this working tree to a repository of its own, with profile `nightly`."""
    shutil.rmtree(folder, ignore_errors=True)
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shutil.rmtree(folder / "reports", ignore_errors=True)
    (folder / "dvc.lock").unlink(missing_ok=True)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    chosen = ["nightly.settle=0", "nightly.report=false", *sets]
    facet(folder, "profile", "nightly", "--force", *(part for one in chosen for part in ("--set", one)))
    (folder / "arrivals/drop").mkdir(parents=True)
    return folder


def deliver(faces: Path, project: Path) -> None:
    shutil.copytree(faces, project / "arrivals/drop" / faces.name)


def facet(root: Path, *words: str) -> str:
    """Run a command with the code of the copy; its output."""
    env = {**os.environ, "PYTHONPATH": str(root), "PREFECT_API_URL": "", "DO_NOT_TRACK": "1",
           "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}  # fmt: skip
    command = [sys.executable, "-m", "facet", *words]
    done = subprocess.run(command, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def steps(log: str) -> dict[str, float]:
    """Seconds of each step of a night, from the end of the step before to its own end."""
    ends: dict[str, datetime] = {}
    first = None
    for match in filter(None, map(LINE.match, log.splitlines())):
        moment = datetime.strptime(match[1], "%H:%M:%S.%f")
        first = first or moment
        name = match[2].split("@")[0]
        ends[re.sub(r"-(vigan|[0-9a-f]{3})$", "", name)] = moment
    taken = {}
    before = first
    for name, end in sorted(ends.items(), key=lambda one: one[1]):
        assert before is not None
        step = name if name in KNOWN else "the rest"
        taken[step] = taken.get(step, 0.0) + (end - before).total_seconds() % 86_400
        before = end
    return taken


KNOWN = (*DATA, "look_for_drift", "drift", "train_judge", "train_gan", "encode", "attributes", "gate", "report")


def alone_with(project: Path) -> dict[str, float]:
    """Seconds of the steps on data, on the new photos alone."""
    taken = {}
    places = ["--drop", "arrivals/drop", "--root", "arrivals/faces", "--quarantine", "arrivals/quarantine"]
    dvc = [sys.executable, "-m", "dvc", "repro", "--single-item"]
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for name, command in (
        ("take_in", [sys.executable, "-m", "facet.nights.intake", "--night", "new", "--settle", "0", *places]),
        ("source", [*dvc, "source"]),
        ("prepare", [*dvc, "prepare"]),
    ):
        began = time.perf_counter()
        subprocess.run(command, cwd=project, env=env, check=True, capture_output=True)
        taken[name] = time.perf_counter() - began
    return taken


def print_table(nights: dict[str, dict[str, float]], alone: dict[str, float], old: int, new: int) -> None:
    totals = {night: sum(taken.values()) for night, taken in nights.items()}
    print(f"{'seconds':16} {f'{old:,}':>10} {f'+ {new:,}':>10} {'nothing':>10} {f'{new:,} alone':>12}")
    for name in dict.fromkeys(name for taken in nights.values() for name in taken):
        cells = [f"{taken[name]:10.1f}" if name in taken else f"{'':10}" for taken in nights.values()]
        print(f"{name:16} {' '.join(cells)} {f'{alone[name]:12.1f}' if name in alone else ''}")
    print(f"{'all':16} {' '.join(f'{total:10.1f}' for total in totals.values())}")
    again = sum(max(0.0, nights["new"].get(name, 0.0) - alone[name]) for name in alone)
    share = again / (totals["new"] - again)
    print(f"work on the old photos done again: {again:.1f} s, {100 * share:.1f} % of the new work with training")


if __name__ == "__main__":
    main()
