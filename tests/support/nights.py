"""A project whose stages take no time, for nights of the flow; run as a script, it runs some nights in one process.

All stages are one script: what it "trains" is the number in quality.txt and a hash of the data. Gate and drift are
replaced by ones that read these; deliveries are taken in by the real code."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.photographs import jpeg

PATIENCE = 240.0  # seconds for nights of one process
REAL = ROOT / "facet"
# Head of a step between two nights that makes a delivery.
HEAD = "import shutil\nfrom pathlib import Path\nfrom tests.support.nights import deliver, publish\n"
TOY = """
import hashlib, json, sys, time
from pathlib import Path
stage, out = sys.argv[1], Path(sys.argv[2])
out.parent.mkdir(parents=True, exist_ok=True)
if stage == "source":
    out.mkdir()
    shards = sorted(Path("arrivals/faces").glob("*.zip"))
    digest = hashlib.sha256(b"".join(p.name.encode() + p.read_bytes() for p in shards)).hexdigest()
    (out / "labels").write_text(digest)
elif stage == "train_gan":
    Path("training").touch()
    if Path("slow").exists():
        time.sleep(60)
    if Path("crash").exists():
        sys.exit("error: the disk is full")
    out.mkdir()
    quality = float(Path("quality.txt").read_text())
    (out / "model.json").write_text(json.dumps({"system": "vigan", "quality": quality}))
    (out / "weights.safetensors").write_text(Path("data/prepared").read_text() + str(quality))
elif stage == "attributes":
    out.write_text("table")
elif stage == "train_judge":
    out.mkdir()
    for name in ("a.safetensors", "b.safetensors", "judges.json"):
        (out / name).write_text(name)
else:
    out.write_text(Path("data/raw/labels").read_text())
"""
GATE = """
import argparse, json
from pathlib import Path
from facet.base.files import write_json
from facet.nights.verdicts import judges_hash
p = argparse.ArgumentParser()
for name in ("candidate", "champion", "judges", "verdict"):
    p.add_argument(f"--{name}", type=Path)
a, _ = p.parse_known_args()
own = json.loads((a.candidate / "model.json").read_text())["quality"]
live = json.loads((a.champion / "model.json").read_text())["quality"] if a.champion.exists() else 0
verdict = {"promote": own >= live, "reasons": [f"quality {own} against {live}"], "measures": [],
           "scores": {"quality": own}, "judges": judges_hash(a.judges)}
write_json(a.verdict, verdict)
"""
DRIFT = """
import sys
from pathlib import Path
from facet.base.files import write_json
shard, report = (sys.argv[sys.argv.index(f"--{name}") + 1] for name in ("shard", "report"))
alert = "odd" in shard
write_json(Path(report), {"alert": alert, "summary": "DRIFT" if alert else "no drift"})
"""
STAGES = {
    "source": {"cmd": "python toy.py source data/raw", "deps": ["arrivals/faces"], "outs": ["data/raw"]},
    "prepare": {"cmd": "python toy.py prepare data/prepared", "deps": ["data/raw"], "outs": ["data/prepared"]},
    "train_judge": {"cmd": "python toy.py train_judge data/judges", "deps": ["data/prepared"], "outs": ["data/judges"]},
    "train_gan": {
        "foreach": {"vigan": 1},
        "do": {
            "cmd": "python toy.py train_gan data/models/${key}",
            "deps": ["data/prepared", "quality.txt"],
            "outs": ["data/models/${key}"],
        },
    },
    "attributes": {
        "foreach": {"vigan": 1},
        "do": {
            "cmd": "python toy.py attributes data/attributes/${key}.parquet",
            "deps": ["data/models/${key}", "data/judges"],
            "outs": ["data/attributes/${key}.parquet"],
        },
    },
}
PARAMS = {
    "compute": {"threads": 1, "device": "cpu", "precision": "fp32", "seed": 1},
    "source": {"kind": "shards", "root": "arrivals/faces"},
    "systems": {"vigan": {"model": "data/models/vigan"}},
    "nightly": {
        "systems": ["vigan"], "arrivals": "arrivals", "pull": "", "settle": 0.0, "hours": 1.0, "start": "scratch",
        "share": 0.5, "report": False, "git": False, "remote": "",
        "gate": {
            "success": 0.02, "preservation": 0.02, "reconstruction": 0.03, "kernel_distance_floors": 0.1, "gap": 0.05,
            "least_success": 0.5, "mode": "replace", "faces": 50, "reconstructions": 100, "bootstrap": 100,
            "batch_size": 64,
        },
    },
}  # fmt: skip


def make(root: Path, **changes: object) -> Path:
    """Make the project in an empty folder, with `changes` of its section `nightly`."""
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text("[core]\nno_scm = true\nanalytics = false\ncheck_update = false\n")
    (root / "dvc.yaml").write_text(json.dumps({"stages": STAGES}))  # JSON is YAML
    params = PARAMS | {"nightly": PARAMS["nightly"] | changes}
    (root / "params.yaml").write_text(json.dumps(params))
    (root / "facet/nights").mkdir(parents=True)  # first on the path; every other module is the real one
    (root / "facet/__init__.py").write_text(f"__path__.append({str(REAL)!r})\n")
    (root / "facet/nights/__init__.py").write_text(f"__path__.append({str(REAL / 'nights')!r})\n")
    (root / "facet/nights/gate.py").write_text(GATE)
    (root / "facet/nights/drift.py").write_text(DRIFT)
    (root / "toy.py").write_text(TOY)
    (root / "quality.txt").write_text("1.0")
    (root / "arrivals/drop").mkdir(parents=True)
    return root


def deliver(folder: Path, seeds: range, labels: str | None = None) -> None:
    """Write a delivery: a photo for each seed, and their labels."""
    folder.mkdir(parents=True)
    for seed in seeds:
        (folder / f"{seed}.jpg").write_bytes(jpeg(seed=seed))
    rows = [f"{seed}.jpg,p{seed},{seed % 2}" for seed in seeds]
    (folder / "labels.csv").write_text(labels or "\n".join(["file,identity,Smiling", *rows]))


def publish(owner: Path, root: Path, seeds: range) -> None:
    """Push a data set of photos from its owner's folder, and copy its .dvc file into the project."""
    shutil.rmtree(owner / "faces", ignore_errors=True)
    deliver(owner / "faces", seeds)
    for words in (("add", "faces"), ("push", "--remote", "store")):
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=owner, check=True, capture_output=True)
    shutil.copy(owner / "faces.dvc", root)


def step(root: Path, night: str, code: str) -> None:
    """Let Python run before a night."""
    (root / "steps").mkdir(exist_ok=True)
    (root / "steps" / f"{night}.py").write_text(code)


def start(root: Path, *names: str, server: str) -> subprocess.Popen[str]:
    """Start a process that runs nights of these names on the Prefect server at an address; "" for a temporary one."""
    env = {
        **os.environ, "PREFECT_API_URL": server, "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_HOME": str(root / "prefect"), "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, __file__, str(root), *names], env=env, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def nights_of(root: Path, *names: str, server: str) -> dict[str, tuple[str, str]]:
    """Run nights in one process; name -> (name of the state, message)."""
    process = start(root, *names, server=server)
    output, _ = process.communicate(timeout=PATIENCE)
    ended = [json.loads(line.removeprefix("NIGHT ")) for line in output.splitlines() if line.startswith("NIGHT ")]
    assert len(ended) == len(names), output[-5000:]
    return {name: (state, message) for name, state, _, message in ended}


def run(root: Path, names: list[str]) -> None:
    """Run nights of these names, each after the Python of the file steps/<name>.py, if there is one."""
    from flows.nightly import nightly

    for name in names:
        step = root / "steps" / f"{name}.py"
        if step.exists():
            exec(step.read_text(), {"root": root})
        state = nightly(root=root, night=name, return_state=True)
        print("NIGHT", json.dumps([name, state.name, state.type.value, state.message]), flush=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
