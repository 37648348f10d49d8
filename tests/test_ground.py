"""Rules that hold the parts together: import floors, dvc.yaml against the code, the lock, what may stand in a file."""

import ast
import dataclasses
import functools
import importlib
import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tomllib
import typing
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from stages.params import from_argv

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK = (ROOT / "requirements.lock").read_text()
STAGES = [
    "source",
    "prepare",
    "train_judge",
    "train_gan",
    "train_encoder",
    "encode",
    "attributes",
    "edit",
    "evaluate",
    "report",
]
# Move words and bytes around or fix the machine: results do not depend on how they are written, so no stage needs to
# run again when they change. Whoever changes what they compute says so with `dvc repro --force`.
PLUMBING = {
    "stages/checkpoints.py",
    "stages/compute.py",
    "stages/files.py",
    "stages/history.py",
    "stages/images.py",
    "stages/match.py",
    "stages/parallel.py",
    "stages/limits.py",
    "stages/params.py",
    "stages/progress.py",
    "stages/resume.py",
    "stages/tables.py",
}
MODULES = {
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "ruamel.yaml": "ruamel",
    "opencv-python-headless": "cv2",
    "c2pa-python": "c2pa",
}  # where the two names differ


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere in it, relative imports made absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
    return found


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_nothing_under_stages_knows_prefect_dvc_or_the_flows():
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in sources("stages")
        for module in imports(path)
        if within(module, "prefect", "dvc", "flows")
    }
    assert not wrong


def test_stages_never_import_each_other_and_no_library_module_imports_a_stage():
    assert len(sources("stages")) > 10
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in sources("stages")
        for module in imports(path)
        if within(module, *(f"stages.{stage}" for stage in STAGES))
    }
    assert not wrong


@pytest.mark.parametrize("package", ["nets", "losses", "metrics"])
def test_formulas_and_networks_import_only_torch_numpy_and_each_other(package):
    allowed = {"torch", "numpy", "scipy"} | set(sys.stdlib_module_names)
    if package == "metrics":
        allowed.add("sklearn")  # linear probes of latents
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in sources(f"stages/{package}")
        for module in imports(path)
        if module.split(".")[0] not in allowed
        and module != "stages"
        and not within(module, "stages.nets", "stages.losses", "stages.metrics")
    }
    assert not wrong


@pytest.mark.parametrize(
    ("folder", "extras"), [("stages", ["download", "heic", "c2pa", "dask"]), ("flows", ["flows", "dask"])]
)
def test_every_imported_package_is_declared(folder, extras):
    lists = [PROJECT["dependencies"], *(EXTRAS[extra] for extra in extras)]
    declared = {Requirement(line).name for lines in lists for line in lines}
    known = {MODULES.get(name, name).replace("-", "_") for name in declared} | {"stages", "flows"}
    used = {module.split(".")[0] for path in sources(folder) for module in imports(path)}
    assert used - known - set(sys.stdlib_module_names) == set()


def test_no_module_of_flows_hides_a_package():
    """A worker puts the folder of an entry point first on the path: `import dvc_data` would find flows/dvc_data.py."""
    installed = [sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")]
    names = [path.stem for path in (ROOT / "flows").glob("*.py") if path.stem != "__init__"]
    assert [name for name in names if PathFinder.find_spec(name, installed) is not None] == []


def test_the_command_line_starts_without_importing_prefect_dvc_or_torch():
    code = "import sys, flows.cli; print(sorted({'prefect', 'dvc', 'torch', 'pandas'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def locked() -> dict[str, str]:
    """Name -> version of what the lock installs here."""
    lines = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==(\S+)(?: ; (.*?))? \\$", LOCK, flags=re.MULTILINE)
    here = default_environment()

    def applies(marker: str) -> bool:
        parsed = Requirement(f"x ; {marker}").marker
        return parsed is None or parsed.evaluate(here)  # type: ignore[arg-type]

    return {name: version for name, version, marker in lines if not marker or applies(marker)}


def test_the_lock_holds_every_dependency_at_a_version_its_bounds_allow():
    versions = locked()
    for line in [*PROJECT["dependencies"], *EXTRAS["flows"], *EXTRAS["dev"]]:
        requirement = Requirement(line)
        assert versions[requirement.name.replace(".", "-")] in requirement.specifier, line


def test_the_lock_has_a_hash_for_every_package_and_no_address():
    assert "://" not in LOCK
    assert "--index" not in LOCK
    assert LOCK.count("==") > 100
    blocks = re.split(r"^(?=\S+==)", LOCK, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_environment_is_what_the_lock_says():
    wrong = {}
    for line in [*PROJECT["dependencies"], *EXTRAS["flows"]]:
        name = Requirement(line).name
        here, there = importlib.metadata.version(name), locked()[name.replace(".", "-")]
        if here != there:
            wrong[name] = f"{here} installed, {there} locked"
    assert not wrong, f"run make, which installs requirements.lock: {wrong}"


@pytest.mark.slow
def test_the_caps_in_pyproject_still_give_a_prefect_server_that_can_be_imported():
    """Fails when a newer fastapi or SQLAlchemy breaks Prefect again; test_flows_server sees a schedule work."""
    code = "import prefect.server.api.server as server; assert server.create_app"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=ROOT)


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("no git clone")
    result = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in result.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_a_package_index_or_a_path_of_one_machine():
    words = r"(?:/home/\w|/Users/\w|/root/|(?<![\w./])/w[o]rk/|https?://\S+\.(?:whl|tar\.gz)|https?://\S+/simple\b)"
    allowed = {ROOT / "LICENSE", Path(__file__)}
    wrong = []
    for path in tracked():
        if path in allowed or path.suffix in {".png", ".jpg", ".jpeg", ".webp", ".safetensors", ".npz", ".npy", ".gz"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        wrong += [f"{path.relative_to(ROOT)}: {match}" for match in re.findall(words, text)]
    assert not wrong


def test_no_tracked_file_is_large():
    """Data belongs to dvc's cache; what git holds stays small enough to clone in seconds."""
    wrong = {str(path.relative_to(ROOT)): path.stat().st_size for path in tracked() if path.stat().st_size > 2_000_000}
    assert not wrong


# dvc.yaml against the code

needs_dvc_yaml = pytest.mark.xfail(not (ROOT / "dvc.yaml").exists(), reason="no dvc.yaml yet", run=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    stage: str  # as dvc calls it, train_gan@dcgan
    module: str
    flags: list[str]
    deps: set[Path]
    outs: set[Path]


def commands() -> list[Command]:
    """Every stage of dvc.yaml after interpolation, as the command it runs and the paths it declares."""
    from dvc.repo import Repo

    found = []
    with Repo(str(ROOT)) as repo:
        for stage in repo.index.stages:
            if not getattr(stage, "cmd", None):
                continue
            assert isinstance(stage.cmd, str), f"{stage.name}: one command a stage"
            words = shlex.split(stage.cmd)
            assert words[:2] == ["python", "-m"], f"{stage.name}: {stage.cmd}"
            found.append(
                Command(
                    stage=stage.name,
                    module=words[2],
                    flags=words[3:],
                    deps={Path(dep.def_path) for dep in stage.deps},
                    outs={Path(out.def_path) for out in stage.outs},
                )
            )
    return found


def covered(path: Path, declared: set[Path]) -> bool:
    """Whether a declared path is this one, a folder above it, or something in it."""
    path = Path(os.path.normpath(path))
    return any(path == other or other in path.parents or path in other.parents for other in declared)


@needs_dvc_yaml
@pytest.mark.slow
def test_every_command_of_dvc_yaml_fits_its_stage():
    found = commands()
    assert {command.stage.split("@")[0] for command in found} == set(STAGES)
    for command in found:
        assert command.module == f"stages.{command.stage.split('@')[0]}"
        stage: Any = importlib.import_module(command.module)
        parse = getattr(stage, "parse", functools.partial(from_argv, stage.Params))
        params = parse(command.flags)  # exits where a flag is unknown, missing or of another type
        hints = typing.get_type_hints(stage.Params)
        for field in dataclasses.fields(stage.Params):
            value = getattr(params, field.name)
            paths = [value] if hints[field.name] is Path else []
            if typing.get_origin(hints[field.name]) is tuple and typing.get_args(hints[field.name])[0] is Path:
                paths = list(value)
            for path in paths:
                if field.name in ("resume", "reuse") or covered(path, command.deps | command.outs):
                    continue
                pytest.fail(f"{command.stage}: --{field.name} {path} is neither a dep nor an out")


@needs_dvc_yaml
@pytest.mark.slow
def test_every_stage_depends_on_the_modules_that_decide_its_results():
    """Or a change of one would leave stale results. Followed through imports; a dep may name a folder.

    A system's module is found by name at run time. What it imports counts only where it is trained: elsewhere the
    model folder, a dep, changes with it."""
    wrong = []
    for command in commands():
        seen: set[str] = set()
        todo = {command.module, f"stages.systems.{command.stage.partition('@')[2]}"}
        while todo:
            module = todo.pop()
            path = Path(*module.split("."))
            path = path.with_suffix(".py") if (ROOT / path.with_suffix(".py")).exists() else path / "__init__.py"
            if module in seen or not (ROOT / path).exists():
                continue
            seen.add(module)
            if not within(module, "stages.systems") or command.stage.startswith("train_gan@"):
                followed = {name for name in imports(ROOT / path) if within(name, "stages")}
                todo |= {name for name in followed if not within(name, "stages.systems")}
            if path.name != "__init__.py" and str(path) not in PLUMBING and not covered(path, command.deps):
                wrong.append(f"{command.stage}: {path}")
    assert not wrong, "missing in deps:\n" + "\n".join(wrong)
