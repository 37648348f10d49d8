"""Profiles: one set of numbers each, written to params.yaml, which stays the only file of numbers that dvc reads.

`profiles/drawn.yaml` is the base, params.yaml as it is committed; every other profile is a short file of what it
changes in the base. In such a file null removes an entry, and an entry that the base does not have may stand only
beside entries of the same shape (one more encoder, say). The first line of a written params.yaml names its profile.
"""

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


class ProfileError(FacetError):
    """A profile, or a value for it, does not fit; the message names the file and the key, and what to do."""


def names(root: Path) -> list[str]:
    """Profiles of the project at `root`, the base first."""
    found = sorted(path.stem for path in (root / "profiles").glob("*.yaml"))
    return [BASE, *(name for name in found if name != BASE)] if BASE in found else found


def about(root: Path, name: str) -> str:
    """The first comment line of a profile."""
    first = _read(root, name).split("\n", 1)[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def render(root: Path, name: str, settings: Sequence[str] = ()) -> str:
    """params.yaml for a profile with `settings` (`train_gan.dcgan.steps=100`) over it; the base's comments stay."""
    if name == BASE and not settings:
        return _read(root, BASE)
    params = _load(root, BASE)
    if name != BASE:
        _lay(_load(root, name), params, where=f"profiles/{name}.yaml")
    for setting in settings:
        _lay(_nested(setting), params, where=f"--set {setting}")
    text = io.StringIO()
    _yaml().dump(params, text)
    body = text.getvalue()
    if body.startswith("#"):  # what the base says it is for
        body = body.split("\n", 1)[1]
    settings_again = [part for setting in settings for part in ("--set", setting)]
    return f"{MARK}{shlex.join([name, *settings_again])}\n{body}"


def apply(root: Path, name: str, settings: Sequence[str] = (), *, force: bool = False) -> list[str]:
    """Write params.yaml; what changed, as `key: old -> new`, a whole mapping as `key: removed` or `key: added`.

    A params.yaml that somebody edited by hand is left alone unless `force`."""
    target = root / "params.yaml"
    old = target.read_bytes().decode("utf-8", "replace") if target.exists() else None
    new = render(root, name, settings)
    if old is not None and not force and _origin(root, old) is None:
        raise ProfileError(
            f"{target} holds values of no profile; commit or copy them, then add --force to replace them"
        )
    aside = target.with_name(".params.yaml.part")
    aside.write_text(new, encoding="utf-8")
    aside.replace(target)
    return _changes(_tree_of(old), _tree_of(new))


def _tree_of(text: str | None) -> Mapping[str, Any]:
    """A params.yaml; empty where there was none, or none that could be read."""
    try:
        tree = _yaml().load(text) if text else None
    except YAMLError:
        tree = None
    return tree if isinstance(tree, Mapping) else {}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], above: str = "") -> list[str]:
    found: list[str] = []
    for key in [*after, *(key for key in before if key not in after)]:
        path, old, new = f"{above}{key}", before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _changes(old, new, f"{path}.")
        elif key not in after:
            found.append(f"{path}: removed")
        elif key not in before:
            found.append(f"{path}: added" if isinstance(new, Mapping) else f"{path}: {new}")
        elif old != new:
            found.append(f"{path}: {old} -> {new}")
    return found


def origin(root: Path) -> tuple[str, list[str]] | None:
    """The profile that params.yaml holds and the settings over it; None where somebody edited it by hand."""
    path = root / "params.yaml"
    return _origin(root, path.read_bytes().decode("utf-8", "replace")) if path.exists() else None


def _origin(root: Path, text: str) -> tuple[str, list[str]] | None:
    if text == _read(root, BASE):
        return BASE, []
    first = text.split("\n", 1)[0]
    if not first.startswith(MARK):
        return None
    try:
        name, *rest = shlex.split(first.removeprefix(MARK))
        return (name, rest[1::2]) if render(root, name, rest[1::2]) == text else None
    except (ProfileError, ValueError):  # the profile was removed or changed since, or the line was
        return None


def _lay(overlay: Any, base: CommentedMap, *, where: str, above: str = "") -> None:
    """Replace the leaves of `base` by those of `overlay`, in place."""
    if not isinstance(overlay, Mapping):
        raise ProfileError(f"{where}: {above or 'the file'} is a mapping in the base, not {overlay!r}")
    for key, value in overlay.items():
        path = f"{above}.{key}" if above else str(key)
        if key not in base:
            if not _like_its_siblings(value, base):
                raise ProfileError(f"{where}: no key {path} in profiles/{BASE}.yaml{_nearest(str(key), base, above)}")
            base[key] = copy.deepcopy(value)
        elif value is None:
            del base[key]
        elif isinstance(base[key], Mapping):
            _lay(value, base[key], where=where, above=path)
        elif not _same_kind(value, base[key]):
            raise ProfileError(f"{where}: {path} is {base[key]!r} in the base, {value!r} is of another kind")
        else:
            base[key] = value


def _like_its_siblings(value: Any, siblings: Mapping[str, Any]) -> bool:
    """One more entry of a table: all entries are mappings, and one of them has just these keys."""
    tables = all(isinstance(other, Mapping) for other in siblings.values())
    return isinstance(value, Mapping) and tables and any(set(other) == set(value) for other in siblings.values())


def _same_kind(value: Any, old: Any) -> bool:
    def kind(item: Any) -> str:
        if isinstance(item, bool):
            return "bool"
        if isinstance(item, int | float):
            return "number"
        return "list" if isinstance(item, list) else "mapping" if isinstance(item, Mapping) else "text"

    return old is None or kind(value) == kind(old)


def _nearest(key: str, base: Mapping[str, Any], above: str) -> str:
    near = difflib.get_close_matches(key, [str(other) for other in base], n=1, cutoff=0.4)
    keys = f" (there: {', '.join(str(other) for other in base)})"
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
