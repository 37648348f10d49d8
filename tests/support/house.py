"""Imports of the code and declarations of dvc.yaml, for the tests of the project's structure."""

import ast
import dataclasses
import os
import shlex
from pathlib import Path

from tests.support.paths import ROOT

STAGES = [
    "source",
    "prepare",
    "train_judge",
    "train_gan",
    "train_encoder",
    "train_refiner",
    "encode",
    "attributes",
    "edit",
    "evaluate",
    "report",
]


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at any place, with relative imports made absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            modules.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
    return modules


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    stage: str  # name in dvc, such as train_gan@dcgan
    module: str
    flags: list[str]
    deps: set[Path]
    outs: set[Path]


def commands() -> list[Command]:
    """The command and the declared paths of every stage of dvc.yaml, after interpolation."""
    from dvc.repo import Repo

    stages_with_commands = []
    with Repo(str(ROOT)) as repo:
        for stage in repo.index.stages:
            if not getattr(stage, "cmd", None):
                continue
            assert isinstance(stage.cmd, str), f"{stage.name}: one command a stage"
            words = shlex.split(stage.cmd)
            assert words[:2] == ["python", "-m"], f"{stage.name}: {stage.cmd}"
            stages_with_commands.append(
                Command(
                    stage=stage.name,
                    module=words[2],
                    flags=words[3:],
                    deps={Path(dep.def_path) for dep in stage.deps},
                    outs={Path(out.def_path) for out in stage.outs},
                )
            )
    return stages_with_commands


def covered(path: Path, declared: set[Path]) -> bool:
    """Return True if a declared path is `path`, a folder above it, or something in it."""
    path = Path(os.path.normpath(path))
    return any(path == other or other in path.parents or path in other.parents for other in declared)
