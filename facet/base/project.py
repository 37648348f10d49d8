"""params.yaml of a project, read without dvc."""

from pathlib import Path
from typing import Any

from facet.base.errors import InputError


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
