"""Cost of the orchestration: seconds of a `dvc repro` with nothing to do, beside one of an empty pipeline and beside
the flow. Run `make repro` first.

    .venv/bin/python -m benchmarks.flow [--rounds 3] [--server]"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
DVC = [sys.executable, "-m", "dvc"]


def seconds(command: list[str], *, cwd: Path, rounds: int) -> float:
    """Median wall time of a command."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--server", action="store_true", help="also time the flow, on the server of PREFECT_API_URL if set"
    )
    args = parser.parse_args()
    os.environ.update(DVC_NO_ANALYTICS="1", DO_NOT_TRACK="1")
    status = subprocess.run([*DVC, "status", "--json"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    if status.strip() not in ("{}", ""):
        sys.exit(f"some stages are stale, run make repro first: {status.strip()[:300]}")
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder)
        (empty / ".dvc").mkdir()
        (empty / ".dvc/config").write_text("[core]\nno_scm = true\nanalytics = false\ncheck_update = false\n")
        (empty / "dvc.yaml").write_text("stages: {}\n")
        least = seconds([*DVC, "repro"], cwd=empty, rounds=args.rounds)
    whole = seconds([*DVC, "repro"], cwd=ROOT, rounds=args.rounds)
    print(f"dvc repro, empty pipeline       {least:6.2f} s")
    print(f"dvc repro, nothing to do        {whole:6.2f} s   {whole - least:+.2f} s, goal at most +2 s")
    if args.server:
        flow = seconds([sys.executable, "-m", "facet", "reproduce"], cwd=ROOT, rounds=1)
        where = "its server running" if os.environ.get("PREFECT_API_URL") else "a temporary server started and ended"
        print(f"facet reproduce, nothing to do  {flow:6.2f} s   {flow - whole:+.2f} s, {where}")


if __name__ == "__main__":
    main()
