"""params.yaml of a project, read without dvc."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facet.base.errors import InputError


def check_clone(root: Path) -> None:
    """InputError unless `root` is the root of a clone."""
    if not (root / "dvc.yaml").exists():
        raise InputError(f"{root.resolve()} has no dvc.yaml; run this in a clone of Facet, or name one with --root")


def section(values: Mapping[str, Any], name: str, *keys: str) -> Mapping[str, Any]:
    """A section of params.yaml with these keys; InputError if it lacks one."""
    entries = values.get(name)
    missing = [key for key in keys if not isinstance(entries, Mapping) or not isinstance(entries.get(key), str)]
    if not isinstance(entries, Mapping) or missing:
        raise InputError(
            f"params.yaml: `{name}` lacks {', '.join(missing) or 'its entries'}; `facet profile` writes it"
        )
    return entries


def params(root: Path) -> dict[str, Any]:
    """params.yaml of the project at `root`; InputError if it cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = root / "params.yaml"
    try:
        values = YAML(typ="safe").load(path)
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); run this in a clone of Facet, or name one with --root"
        ) from None
    if not isinstance(values, dict):
        raise InputError(f"{path} is no mapping; `facet profile drawn --force` restores the committed one")
    return values
