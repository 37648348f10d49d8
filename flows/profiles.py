"""Profiles: sets of numbers that are written to params.yaml, the only file of numbers that dvc reads.

`profiles/drawn.yaml` is the base and holds what the committed params.yaml holds; every other profile is a short file of
its differences from the base. There, null removes an entry, and a new entry is allowed only beside entries with the
same keys (one more encoder, for example). The first line of a params.yaml names its schema to editors, the second its
profile if that is not the base."""

import copy
import difflib
import io
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from facet.base.errors import FacetError

BASE = "drawn"
MARK = "# Written by: facet profile "
SCHEMA = "# yaml-language-server: $schema=params.schema.json\n"  # written by flows/params_schema.py


class ProfileError(FacetError):
    """A profile or a setting that does not fit; the message names the file, the key and what to do."""


def names(root: Path) -> list[str]:
    """Profiles of the project at `root`, the base first."""
    stems = sorted(path.stem for path in (root / "profiles").glob("*.yaml"))
    return [BASE, *(name for name in stems if name != BASE)] if BASE in stems else stems


def about(root: Path, name: str) -> str:
    """The first comment line of a profile."""
    first = _read(root, name).split("\n", 1)[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def render(root: Path, name: str, settings: Sequence[str] = ()) -> str:
    """The text of params.yaml for a profile with `settings` (`train_gan.dcgan.steps=100`) applied on top; the comments
    of the base stay."""
    if name == BASE and not settings:
        return SCHEMA + _read(root, BASE)
    params = _load(root, BASE)
    if name != BASE:
        _override(params, _load(root, name), origin=f"profiles/{name}.yaml")
    for setting in settings:
        _override(params, _nested(setting), origin=f"--set {setting}")
    text = io.StringIO()
    _yaml().dump(params, text)
    body = text.getvalue()
    if body.startswith("#"):  # the description of the base
        body = body.split("\n", 1)[1]
    flags = [part for setting in settings for part in ("--set", setting)]
    return f"{SCHEMA}{MARK}{shlex.join([name, *flags])}\n{body}"


def apply(root: Path, name: str, settings: Sequence[str] = (), *, force: bool = False) -> list[str]:
    """Write params.yaml; return the changes as `key: old -> new`, those of a whole mapping as `key: removed` or
    `key: added`.

    A params.yaml that was edited by hand is replaced only with `force`."""
    target = root / "params.yaml"
    old = target.read_bytes().decode("utf-8", "replace") if target.exists() else None
    new = render(root, name, settings)
    if old is not None and not force and _origin(root, old) is None:
        raise ProfileError(
            f"{target} holds values of no profile; commit or copy them, then add --force to replace them"
        )
    part = target.with_name(".params.yaml.part")
    part.write_text(new, encoding="utf-8")
    part.replace(target)
    return _changes(_tree(old), _tree(new))


def _tree(text: str | None) -> Mapping[str, Any]:
    """The mapping of a params.yaml; empty if the text is None or cannot be read."""
    try:
        tree = _yaml().load(text) if text else None
    except YAMLError:
        tree = None
    return tree if isinstance(tree, Mapping) else {}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], above: str = "") -> list[str]:
    changes: list[str] = []
    for key in [*after, *(key for key in before if key not in after)]:
        path, old, new = f"{above}{key}", before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += _changes(old, new, f"{path}.")
        elif key not in after:
            changes.append(f"{path}: removed")
        elif key not in before:
            changes.append(f"{path}: added" if isinstance(new, Mapping) else f"{path}: {new}")
        elif old != new:
            changes.append(f"{path}: {old} -> {new}")
    return changes


def origin(root: Path) -> tuple[str, list[str]] | None:
    """The profile in params.yaml and the settings applied to it; None if it was edited by hand."""
    path = root / "params.yaml"
    return _origin(root, path.read_bytes().decode("utf-8", "replace")) if path.exists() else None


def _origin(root: Path, text: str) -> tuple[str, list[str]] | None:
    text = text.removeprefix(SCHEMA)
    if text == _read(root, BASE):
        return BASE, []
    first = text.split("\n", 1)[0]
    if not first.startswith(MARK):
        return None
    try:
        name, *rest = shlex.split(first.removeprefix(MARK))
        return (name, rest[1::2]) if render(root, name, rest[1::2]) == SCHEMA + text else None
    except (ProfileError, ValueError):  # the profile or the line was removed or changed since
        return None


def _override(base: CommentedMap, overrides: Any, *, origin: str, above: str = "") -> None:
    """Replace the leaves of `base` by those of `overrides`, in place; ProfileError names their `origin`."""
    if not isinstance(overrides, Mapping):
        raise ProfileError(f"{origin}: {above or 'the file'} is a mapping in the base, not {overrides!r}")
    for key, value in overrides.items():
        path = f"{above}.{key}" if above else str(key)
        if key not in base:
            if not _may_join(value, base):
                raise ProfileError(f"{origin}: no key {path} in profiles/{BASE}.yaml{_nearest(str(key), base, above)}")
            base[key] = copy.deepcopy(value)
        elif value is None:
            del base[key]
        elif isinstance(base[key], Mapping):
            _override(base[key], value, origin=origin, above=path)
        elif not _same_kind(value, base[key]):
            raise ProfileError(f"{origin}: {path} is {base[key]!r} in the base, {value!r} is of another kind")
        else:
            base[key] = value


def _may_join(value: Any, siblings: Mapping[str, Any]) -> bool:
    """True if a value may be added to a mapping: all its entries are mappings, and one of them has the same keys."""
    tables = all(isinstance(other, Mapping) for other in siblings.values())
    return isinstance(value, Mapping) and tables and any(set(other) == set(value) for other in siblings.values())


def _same_kind(value: Any, old: Any) -> bool:
    """True if a value may replace another: both numbers, texts, lists, mappings or booleans."""

    def kind(item: Any) -> str:
        if isinstance(item, bool):
            return "bool"
        if isinstance(item, int | float):
            return "number"
        return "list" if isinstance(item, list) else "mapping" if isinstance(item, Mapping) else "text"

    return old is None or kind(value) == kind(old)


def _nearest(key: str, base: Mapping[str, Any], above: str) -> str:
    """The end of a message about an unknown key: the nearest one, and all."""
    near = difflib.get_close_matches(key, [str(other) for other in base], n=1, cutoff=0.4)
    keys = f" (keys: {', '.join(str(other) for other in base)})"
    return f"; did you mean {above + '.' if above else ''}{near[0]}?{keys}" if near else keys


def _nested(setting: str) -> Any:
    """`a.b=1` -> {a: {b: 1}}; the value is read as YAML."""
    path, equals, text = setting.partition("=")
    if not equals or not path or not text or len(setting.splitlines()) > 1:
        raise ProfileError(f"--set {setting}: expected key=value in one line, as in train_gan.dcgan.steps=100")
    try:
        value = _yaml().load(text)
    except YAMLError as error:
        raise ProfileError(f"--set {setting}: {text!r} is no YAML value") from error
    if value is None and text.strip() not in ("null", "~"):  # a comment or a document mark, not a wish to remove
        raise ProfileError(f"--set {setting}: {text!r} is an empty YAML value; null removes the key")
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def _read(root: Path, name: str) -> str:
    path = root / "profiles" / f"{name}.yaml"
    if name not in names(root):
        near = difflib.get_close_matches(name, names(root), n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ProfileError(f"{path} is missing; {hint}profiles: {', '.join(names(root)) or 'none'}")
    return path.read_text(encoding="utf-8")


def _load(root: Path, name: str) -> CommentedMap:
    try:
        return _yaml().load(_read(root, name)) or CommentedMap()
    except YAMLError as error:
        raise ProfileError(f"profiles/{name}.yaml is no YAML: {error}") from error


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml
