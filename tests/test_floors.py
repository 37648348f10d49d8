"""Which folders may import which."""

import subprocess
import sys
from pathlib import Path

from tests.support.house import STAGES, imports, sources, within
from tests.support.paths import ROOT

# Folders of facet/ from the ground floor up; a folder imports only itself and those on lower floors.
FLOORS = (
    ("base", "metrics", "nets", "drawn"),
    ("losses", "pictures"),
    ("training", "sources"),
    ("systems", "preparation", "judges"),
    ("editing", "refining"),
    ("photos/file",),
    ("photos/faces",),
    ("photos", "calibration", "evaluation", "reporting", "exporting"),
    ("photos/folder", "nights"),
    ("studio",),
    ("cli",),
)
FORMULAS = ("nets", "losses", "metrics")  # folders that import only torch, numpy and each other


def floor_of(folder: str) -> int:
    """The floor of a folder of facet/, from 0 at the ground."""
    floors = [number for number, folders in enumerate(FLOORS) if folder in folders]
    assert floors, f"facet/{folder} is on no floor: add it to FLOORS in tests/test_floors.py"
    return floors[0]


def folder_of(path: Path) -> str:
    """The folder of a file, relative to facet/."""
    return path.relative_to(ROOT / "facet").parent.as_posix()


def path_of(module: str) -> Path | None:
    """The file of a module of this repository; None if `module` names something inside a module."""
    path = ROOT / Path(*module.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None


def test_nothing_under_facet_or_stages_imports_prefect_dvc_or_the_flows():
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in sources("facet", "stages")
        for module in imports(path)
        if within(module, "prefect", "dvc", "flows")
    }
    assert not wrong


def test_every_folder_of_facet_with_code_is_on_one_floor():
    listed = [folder for folders in FLOORS for folder in folders]
    assert sorted(listed) == sorted(set(listed))
    for folder in {folder_of(path) for path in sources("facet")} - {"."}:
        floor_of(folder)


def test_stages_stand_on_facet_alone_and_nothing_stands_on_them():
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in sources("facet", "stages", "flows")
        for module in imports(path)
        if within(module, "stages")
    }
    assert not wrong


def test_the_folder_stages_holds_the_stages_of_the_graph_and_nothing_else():
    names = {path.name for path in (ROOT / "stages").iterdir() if path.name != "__pycache__"}
    assert names == {"__init__.py", *(f"{stage}.py" for stage in STAGES)}


def test_no_import_inside_facet_runs_up():
    wrong = []
    for path in sources("facet"):
        here = folder_of(path)
        if here == ".":  # facet/__init__.py names what users import
            continue
        for module in imports(path):
            target = path_of(module) if within(module, "facet") and module != "facet" else None
            if target is None:
                continue
            there = folder_of(target)
            if there != here and floor_of(there) >= floor_of(here):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_formulas_and_networks_import_only_torch_numpy_and_each_other():
    allowed = {"torch", "numpy", "scipy"} | set(sys.stdlib_module_names)
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for folder in FORMULAS
        for path in sources(f"facet/{folder}")
        for module in imports(path)
        if module.split(".")[0] not in allowed | ({"sklearn"} if folder == "metrics" else set())
        and module != "facet"
        and not within(module, *(f"facet.{other}" for other in FORMULAS))
    }
    assert not wrong


def test_no_test_imports_from_another():
    """Code that tests share is in tests/support."""
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in sources("tests")
        for module in imports(path)
        if any(part.startswith("test_") for part in module.split(".")) and path_of(module) is not None
    }
    assert not wrong


def test_the_command_line_starts_without_importing_prefect_dvc_or_torch():
    code = (
        "import sys, facet.cli; facet.cli.parser(); assert 'flows.commands.gc' in sys.modules; "
        "print(sorted({'prefect', 'dvc', 'torch', 'pandas', 'shtab'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_only_the_studio_imports_what_serves_its_page():
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in sources("facet")
        for module in imports(path)
        if within(module, "fastapi", "starlette", "uvicorn") and folder_of(path) != "studio"
    }
    assert not wrong
