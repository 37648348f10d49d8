"""The JSON schema of params.yaml, with which editors complete keys, show what they mean and mark wrong values.

It says nothing by itself: dvc.yaml tells which stage reads which key, the fields of the stages' Params and of the
systems' settings give types, limits and comments, and the profiles the keys that exist. `make schema` writes it."""

import dataclasses
import importlib
import inspect
import itertools
import json
import re
import shlex
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from ruamel.yaml import YAML

from facet import systems
from facet.base.errors import InputError
from facet.base.files import write_rows
from facet.editing.directions import ESTIMATORS
from facet.editing.modes import MODES
from facet.nights.settings import Settings
from facet.pictures.crops import CROPS
from facet.refining import trainer
from flows import profiles

FILE = "params.schema.json"
NIGHTLY = "nightly"  # the section that no stage reads
LOOPS = ("train_gan", "train_encoder", "train_refiner", "systems")  # mappings whose entries a profile adds or removes
# Fields that are words by a list of the code instead of by their type.
WORDS: Mapping[str, tuple[str, ...]] = {
    "crop": tuple(CROPS),
    "estimators": tuple(ESTIMATORS),
    "mode": MODES,
    "systems": systems.SYSTEMS,
}
FIELD = re.compile(r"    (?P<name>\w+): .*?  # (?P<comment>.+)")

Json = dict[str, Any]


def build(root: Path) -> Json:
    """The schema for the dvc.yaml and the profiles of the clone at `root`; InputError for a key that nothing reads."""
    stages = _yaml(root / "dvc.yaml")["stages"]
    tree: Json = {}
    for name in profiles.names(root):
        params = YAML(typ="safe").load(profiles.render(root, name))
        fields = {path: field for stage in stages.values() for path, field in _fields(stage, params)}
        numbers = {key: value for key, value in params.items() if key != NIGHTLY}
        _merge(tree, _section(numbers, fields, "", f"profiles/{name}.yaml"))
    tree["properties"][NIGHTLY] = _record(Settings)
    tree["required"] = sorted([*tree["required"], NIGHTLY])
    _open_to_new_encoders(tree["properties"]["train_encoder"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The numbers of Facet: params.yaml",
        **tree,
    }


def _fields(stage: Json, params: Json) -> Iterator[tuple[str, Json]]:
    """The path of every key of params.yaml that the command of a stage reads, with the schema of its field."""
    loop = re.fullmatch(r"\$\{(\w+)\}", stage.get("foreach", ""))
    entries = params[loop[1]] or {} if loop else {"": {}}
    words = shlex.split(stage.get("do", stage)["cmd"])
    module = importlib.import_module(words[2])
    for key, item in entries.items():
        known = {**_schemas(module.Params), **_schemas(_settings(module.__name__, key, item))}
        if "system" in item:
            known["system"] = {"const": item["system"]}  # the other settings depend on it
        for flag, word in itertools.pairwise(words):
            reference = re.fullmatch(r"\$\{([\w.]+)\}", word)
            if not reference or reference[1] == "key":
                continue
            path = re.sub(r"^item\b", f"{loop[1]}.{key}" if loop else "item", reference[1])
            value = _at(params, path)
            if isinstance(value, Mapping):
                yield from ((f"{path}.{name}", known[name]) for name in value if name in known)
            elif flag.startswith("--"):
                yield path, known[flag.removeprefix("--")]


def _settings(stage: str, key: str, item: Json) -> type[Any] | None:
    """The second dataclass that the flags of a training stage fill."""
    if stage == "stages.train_gan":
        settings: type[Any] = systems.module(key).GanSettings
        return settings
    if stage == "stages.train_encoder":
        return systems.encoders(item["system"]).settings_class(key)  # type: ignore[no-any-return]
    return trainer.Settings if stage == "stages.train_refiner" else None


def _at(params: Json, path: str) -> Any:
    for part in path.split("."):
        params = params[part]
    return params


def _section(values: Json, fields: Mapping[str, Json], above: str, origin: str) -> Json:
    """The schema of a mapping of params.yaml, from those of its leaves by path."""
    properties = {}
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, dict):
            properties[key] = _section(value, fields, f"{path}.", origin)
        elif path in fields:
            properties[key] = fields[path]
        else:
            raise InputError(f"{origin}: no stage of dvc.yaml reads {path}; remove the key, or add it to a stage")
    return _object(properties, required=above.rstrip(".") not in LOOPS)


def _merge(tree: Json, other: Json) -> None:
    """Add the keys that `other` has and `tree` lacks, in place."""
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree.setdefault(key, value)


def _open_to_new_encoders(section: Json) -> None:
    """Let encoders have names of their own, with the settings of one that exists."""
    kinds = {json.dumps(entry, sort_keys=True): entry for entry in section["properties"].values()}
    section["additionalProperties"] = {"anyOf": list(kinds.values())}


def _record(kind: type[Any]) -> Json:
    return _object(_schemas(kind), required=True)


def _object(properties: Json, *, required: bool) -> Json:
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": sorted(properties)} if required else {})


def _schemas(kind: type[Any] | None) -> dict[str, Json]:
    """The schema of every field of a dataclass, with its comment."""
    if kind is None:
        return {}
    hints = typing.get_type_hints(kind, include_extras=True)
    lines = [FIELD.fullmatch(line) for line in inspect.getsource(kind).splitlines()]
    comments = {line["name"]: {"description": line["comment"]} for line in lines if line}
    names = [field.name for field in dataclasses.fields(kind) if field.metadata.get("flag", True)]
    return {name: comments.get(name, {}) | _type(name, hints[name]) for name in names}


def _type(name: str, hint: Any) -> Json:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _record(hint)
    schema: Json = TypeAdapter(hint).json_schema()
    schema.pop("format", None)  # of paths: no editor knows it
    if schema["type"] == "array":
        schema["minItems"] = schema.get("minItems", 1)  # dvc leaves an empty list out of the command
    if name in WORDS:
        words = {"type": "string", "enum": list(WORDS[name])}
        schema = schema | {"items": words} if schema["type"] == "array" else words
    return schema


def _yaml(path: Path) -> Json:
    tree: Json = YAML(typ="safe").load(path)
    return tree


if __name__ == "__main__":
    write_rows(Path(FILE), build(Path()))
