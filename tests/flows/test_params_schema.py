"""params.schema.json: what editors say about params.yaml is what the stages accept."""

import copy
import json
from typing import Any

import pytest
from ruamel.yaml import YAML

from flows import params_schema, profiles
from flows.doctor import misfits
from tests.support.paths import ROOT

SCHEMA = json.loads((ROOT / params_schema.FILE).read_text())
BASE = YAML(typ="safe").load(profiles.render(ROOT, profiles.BASE))


def messages(params: dict[str, Any]) -> list[str]:
    """What an editor marks and `facet doctor` names."""
    return misfits(ROOT, params)


def changed(path: str, value: Any) -> dict[str, Any]:
    params = copy.deepcopy(BASE)
    *above, last = path.split(".")
    section = params
    for key in above:
        section = section[key]
    section[last] = value
    return params


@pytest.mark.slow
def test_the_committed_schema_is_what_the_code_says():
    assert params_schema.build(ROOT) == SCHEMA, "run make schema"


def test_editors_find_the_schema_in_the_first_line_of_params_yaml():
    first = (ROOT / "params.yaml").read_text().split("\n", 1)[0]
    assert first == f"# yaml-language-server: $schema={params_schema.FILE}"


@pytest.mark.parametrize("name", profiles.names(ROOT))
def test_every_profile_fits_the_schema(name):
    assert messages(YAML(typ="safe").load(profiles.render(ROOT, name))) == []


def test_the_params_of_this_clone_fit_the_schema():
    assert messages(YAML(typ="safe").load(ROOT / "params.yaml")) == []


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("train_gan.vigan.step", 5, "train_gan.vigan"),
        ("train_gan.vigan.steps", 0, "train_gan.vigan.steps"),
        ("train_gan.vigan.steps", "many", "train_gan.vigan.steps"),
        ("train_gan.vigan.steps", True, "train_gan.vigan.steps"),
        ("train_gan.vigan.ema", 1.0, "train_gan.vigan.ema"),
        ("train_gan.vigan.batch_size", 1, "train_gan.vigan.batch_size"),
        ("train_gan.ian.prior", "uniform", "train_gan.ian.prior"),
        ("train_gan.gan", {}, "train_gan"),
        ("train_encoder.in_domain.system", "icgan", "train_encoder.in_domain.system"),
        ("train_encoder.mine", {"system": "dcgan", "width": 8}, "train_encoder.mine"),
        ("compute.device", "gpu", "compute.device"),
        ("prepare.ratios", [0.5, 0.5], "prepare.ratios"),
        ("prepare.crop", "face12", "prepare.crop"),
        ("edit.mode", "paste", "edit.mode"),
        ("edit.specs", [], "edit.specs"),
        ("systems.ian.attributes.estimators", ["mean"], "systems.ian.attributes.estimators.0"),
        ("systems.ian.attributes.margin", 0, "systems.ian.attributes.margin"),
        ("nightly.hours", 0, "nightly.hours"),
        ("nightly.start", "best", "nightly.start"),
        ("nightly.gate.kernel_distance", 1, "nightly.gate"),
        ("source.download", "yes", "source.download"),
    ],
)
def test_a_wrong_key_or_value_is_marked_at_its_place(path, value, place):
    found = messages(changed(path, value))
    assert [message.split(": ")[0] for message in found] == [place]


def test_an_unknown_section_is_named():
    (found,) = messages(BASE | {"tarin_gan": {}})
    assert "'tarin_gan' was unexpected" in found


def test_a_key_that_is_missing_is_marked():
    params = copy.deepcopy(BASE)
    del params["train_judge"]["dropout"], params["nightly"]["gate"]["mode"], params["report"]
    assert sorted(messages(params)) == [
        "'report' is a required property",
        "nightly.gate: 'mode' is a required property",
        "train_judge: 'dropout' is a required property",
    ]


def test_an_encoder_may_have_a_name_of_its_own_and_a_system_may_be_left_out():
    params = changed("train_encoder.mine", BASE["train_encoder"]["deep_conv"] | {"loss": "l1"})
    del params["train_gan"]["ian"], params["systems"]["ian"]
    assert messages(params) == []


def test_a_key_shows_the_comment_of_its_field():
    gate = SCHEMA["properties"]["nightly"]["properties"]["gate"]["properties"]
    assert gate["bootstrap"] == {"description": "resamples of every interval", "minimum": 1, "type": "integer"}


@pytest.mark.slow
def test_a_key_that_no_stage_reads_is_named(tmp_path):
    (tmp_path / "profiles").mkdir()
    text = (ROOT / "profiles/drawn.yaml").read_text().replace("  megabytes: 8.0", "  megabytes: 8.0\n  gigabytes: 1")
    (tmp_path / "profiles/drawn.yaml").write_text(text)
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    with pytest.raises(params_schema.InputError, match=r"profiles/drawn\.yaml: no stage .* reads report\.gigabytes"):
        params_schema.build(tmp_path)
