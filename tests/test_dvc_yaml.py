"""dvc.yaml agrees with the code."""

import dataclasses
import functools
import importlib
import typing
from pathlib import Path
from typing import Any

import pytest

from facet.base.params import from_argv
from tests.support.house import STAGES, commands, covered, imports, within
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow
# Code that moves bytes or words: results do not depend on it, so no stage needs to run again when it changes. After a
# change of what it computes, run `dvc repro --force`.
PLUMBING = ("facet/base/", "facet/training/history.py", "facet/training/resume.py", "facet/training/states.py")


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
                if field.name in ("resume", "reuse") or (command.stage, field.name) == ("prepare", "root"):
                    continue  # data/raw has a hash of every picture in `root`
                if covered(path, command.deps | command.outs):
                    continue
                pytest.fail(f"{command.stage}: --{field.name} {path} is neither a dep nor an out")


def test_every_stage_depends_on_the_modules_that_decide_its_results():
    """A change of a module that is not a dep would leave stale results. Imports are followed; a dep may be a folder.

    A system's module is imported by name at run time. Its imports count only in its training: in other stages the model
    folder, a dep, changes with them."""
    wrong = []
    for command in commands():
        seen: set[str] = set()
        todo = {command.module, f"facet.systems.{command.stage.partition('@')[2]}"}
        while todo:
            module = todo.pop()
            path = Path(*module.split("."))
            path = path.with_suffix(".py") if (ROOT / path.with_suffix(".py")).exists() else path / "__init__.py"
            if module in seen or not (ROOT / path).exists():
                continue
            seen.add(module)
            if not within(module, "facet.systems") or command.stage.startswith("train_gan@"):
                followed = {name for name in imports(ROOT / path) if within(name, "facet") and name != "facet"}
                todo |= {name for name in followed if not within(name, "facet.systems")}
            if path.name != "__init__.py" and not str(path).startswith(PLUMBING) and not covered(path, command.deps):
                wrong.append(f"{command.stage}: {path}")
    assert not wrong, "missing in deps:\n" + "\n".join(wrong)
