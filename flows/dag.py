"""dvc's own graph as data: stage -> the stages it needs. The only module that uses dvc's internals."""

import difflib
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx

from facet.base import project
from facet.base.errors import FacetError, InputError

if TYPE_CHECKING:
    from dvc.repo import Repo

# Printed by dvc if another dvc works on the same path; the exit code is that of any error, and `--wait-for-lock`
# waits only for the lock of the whole project.
BUSY = "is busy, it is being blocked by"
BUSY_PAUSE = 2.0  # seconds between two tries

Needs = dict[str, list[str]]


class StatusFailed(FacetError):
    """dvc could not say which stages are stale; the message holds what it said."""

    exit_code = 1


class UnknownStage(FacetError):
    """A stage that dvc.yaml does not have; the message names the nearest one."""


def stage_needs(root: Path) -> Needs:
    """Every stage of the project at `root`, needed stages first, with the stages whose outputs it reads.

    Stages of foreach and matrix are expanded (`train_gan@dcgan`); stages that could run at the same time keep the order
    of dvc.yaml."""
    with _opened(root) as repo:
        return _needs(root, repo)


def look(root: Path) -> tuple[Needs, set[str] | None]:
    """Every stage as from `stage_needs`, and those that are stale as from `stale_stages`, in a second or two; None if
    dvc cannot say now what is stale."""
    with _opened(root) as repo:
        needs = _needs(root, repo)
        addresses = {stage.addressing: _address(stage) for stage in repo.index.stages}
        try:
            return needs, _stale({addresses[stage] for stage in repo.status()}, needs)
        except Exception:  # whatever it is, `dvc status` will say it
            return needs, None


def _opened(root: Path) -> "Repo":
    from dvc.repo import Repo  # its import takes a second

    project.check_clone(root)  # dvc would look for one above
    return Repo(str(root), _wait_for_lock=True)


def _needs(root: Path, repo: "Repo") -> Needs:
    from dvc.exceptions import DvcException

    try:
        graph = repo.index.graph  # an edge runs from a stage to what it needs
    except DvcException as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"dvc cannot read the graph of {root.resolve()}: {reason}; fix dvc.yaml or params.yaml"
        ) from error
    order = {stage: number for number, stage in enumerate(repo.index.stages)}
    ordered = list(nx.lexicographical_topological_sort(graph.reverse(copy=False), key=order.__getitem__))
    return {_address(stage): [_address(need) for need in ordered if graph.has_edge(stage, need)] for stage in ordered}


def _address(stage) -> str:  # type: ignore[no-untyped-def]  # dvc.stage.Stage
    """The name of a stage for `dvc repro` in the root; dvc's own `addressing` depends on the working directory."""
    path = Path(stage.path_in_repo).as_posix()
    name = getattr(stage, "name", None)
    if name is None:
        return path
    return name if path == "dvc.yaml" else f"{path}:{name}"


def select(needs: Mapping[str, list[str]], targets: Iterable[str]) -> Needs:
    """The part of the graph that `targets` need, targets included; `train_gan` means every `train_gan@…`."""
    chosen: set[str] = set()
    for target in targets:
        matches = [stage for stage in needs if stage == target or stage.startswith(f"{target}@")]
        if not matches:
            near = difflib.get_close_matches(target, [*needs, *(stage.split("@")[0] for stage in needs)], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UnknownStage(f"dvc.yaml has no stage {target}{hint} (stages: {', '.join(needs)})")
        chosen.update(matches)
    for stage in reversed(list(needs)):
        if stage in chosen:
            chosen.update(needs[stage])
    return {stage: list(needs[stage]) for stage in needs if stage in chosen}


def stale_reasons(root: Path, target: str) -> list[str]:
    """Reasons why the reports in the workspace are not those of dvc.yaml and params.yaml: one line for each stage that
    `target` needs and that never ran, ran with other numbers, or whose reports (the outs in git) have changed since.

    It compares only commands and reports, so it needs no data; `dvc status` would also see changed code."""
    from dvc.repo import Repo

    chosen = select(stage_needs(root), [target])
    reasons = []
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            name = _address(stage)
            if name not in chosen:
                continue
            reports = [out for out in stage.outs if not out.use_cache]
            if not all(out.hash_info for out in stage.outs):
                reasons.append(f"stage {name} has not run")
            elif stage.cmd_changed:
                reasons.append(f"stage {name} ran with other numbers than params.yaml has now")
            else:
                changed = [out.def_path for out in reports if not out.exists or out.changed_checksum()]
                reasons += [f"{path} is not as stage {name} wrote it" for path in changed]
    return reasons


def stale_stages(root: Path, needs: Mapping[str, list[str]]) -> set[str]:
    """Stages of `needs` that `dvc status` reports as changed, and all that read their outputs; the others are up to
    date.

    A stage downstream may turn out unchanged once the stages before it have run; dvc decides then."""
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "status", "--json"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    while BUSY in result.stderr:
        time.sleep(BUSY_PAUSE)
        result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    try:
        if result.returncode:
            raise ValueError(result.stderr)
        return _stale(set(json.loads(result.stdout)), needs)
    except ValueError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        said = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no output")
        raise StatusFailed(
            f"`dvc status` failed in {root.resolve()}: {said[:300]}; run it there, `dvc status -v` says more"
        ) from None


def _stale(changed: set[str], needs: Mapping[str, list[str]]) -> set[str]:
    stale: set[str] = set()
    for stage in needs:  # needed stages first
        if stage in changed or not stale.isdisjoint(needs[stage]):
            stale.add(stage)
    return stale
