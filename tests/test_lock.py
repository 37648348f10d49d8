"""requirements.lock against pyproject.toml and the environment."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from tests.support.house import imports, sources
from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK = (ROOT / "requirements.lock").read_text()
MODULES = {
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "ruamel.yaml": "ruamel",
    "opencv-python-headless": "cv2",
    "c2pa-python": "c2pa",
}  # packages whose module has another name


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("facet", ["download", "heic", "c2pa", "dask", "onnx", "studio"]),
        ("stages", []),
        ("flows", ["flows", "dask"]),
    ],
)
def test_every_imported_package_is_declared(folder, extras):
    lists = [PROJECT["dependencies"], *(EXTRAS[extra] for extra in extras)]
    declared = {Requirement(line).name for lines in lists for line in lines}
    known = {MODULES.get(name, name).replace("-", "_") for name in declared} | {"facet", "stages", "flows"}
    used = {module.split(".")[0] for path in sources(folder) for module in imports(path)}
    assert used - known - set(sys.stdlib_module_names) == set()


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
    for line in [*PROJECT["dependencies"], *EXTRAS["flows"], *EXTRAS["docs"], *EXTRAS["dev"]]:
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
        installed, wanted = importlib.metadata.version(name), locked()[name.replace(".", "-")]
        if installed != wanted:
            wrong[name] = f"{installed} installed, {wanted} locked"
    assert not wrong, f"run make, which installs requirements.lock: {wrong}"


@pytest.mark.slow
def test_the_caps_in_pyproject_still_give_a_prefect_server_that_can_be_imported():
    """Fails when a newer fastapi or SQLAlchemy breaks Prefect again; test_flows_server sees a schedule work."""
    code = "import prefect.server.api.server as server; assert server.create_app"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=ROOT)
