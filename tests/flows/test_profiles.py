import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from facet.cli import main
from flows import profiles
from flows.profiles import ProfileError, apply, render
from tests.support.paths import ROOT

BASE = """\
# Drawn faces: params.yaml as it is committed.
seed: 1
train_gan:
  dcgan:
    steps: 4000  # batches
    rate: 2e-4
train_encoder:
  fc: {steps: 100, freeze: true}
  deep: {steps: 200, freeze: true}
source:
  name: drawn
  attributes: [Male, Smiling]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/drawn.yaml").write_text(BASE)
    (tmp_path / "profiles/smoke.yaml").write_text("# About a minute.\ntrain_gan:\n  dcgan:\n    steps: 20\n")
    return tmp_path


def load(root: Path) -> dict:
    return YAML(typ="safe").load(root / "params.yaml")


def test_a_profile_changes_its_own_values_and_keeps_the_rest_with_its_comments(root):
    assert apply(root, "drawn")
    assert apply(root, "smoke") == ["train_gan.dcgan.steps: 4000 -> 20"]
    text = (root / "params.yaml").read_text()
    assert text.startswith(f"{profiles.SCHEMA}# Written by: facet profile smoke\nseed: 1\n")
    assert re.search(r"    steps: 20 +# batches\n    rate: 2e-4\n", text)


def test_the_base_comes_back_byte_for_byte(root):
    apply(root, "smoke")
    apply(root, "drawn")
    assert (root / "params.yaml").read_text() == profiles.SCHEMA + BASE


def test_a_file_without_the_line_for_editors_still_counts_as_written_by_its_profile(root):
    for name in ("smoke", "drawn"):
        apply(root, name)
        text = (root / "params.yaml").read_text()
        (root / "params.yaml").write_text(text.removeprefix(profiles.SCHEMA))
        assert profiles.origin(root) == (name, [])
    (root / "params.yaml").write_text(text.replace("4000", "4001"))
    assert profiles.origin(root) is None


def test_settings_lie_over_the_profile(root):
    apply(root, "smoke", ["train_gan.dcgan.rate=0.1", "source.attributes=[Male]"])
    assert load(root)["train_gan"] == {"dcgan": {"steps": 20, "rate": 0.1}}
    assert load(root)["source"]["attributes"] == ["Male"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train_gan.dcgan.stepz=3", r"no key train_gan\.dcgan\.stepz .*did you mean train_gan\.dcgan\.steps\?"),
        ("train_gan.dcgna.steps=3", r"no key train_gan\.dcgna .*did you mean train_gan\.dcgan\?"),
        ("seed=one", "seed is 1 in the base, 'one' is of another kind"),
        ("seed=true", "another kind"),
        ("train_gan=3", "train_gan is a mapping"),
        ("seed", "expected key=value"),
        ("seed=1\nb: 2", "in one line"),
        ("seed=[1", "no YAML value"),
        ("seed=# hm", "empty YAML value; null removes the key"),
    ],
)
def test_a_setting_that_does_not_fit_is_an_error_and_writes_nothing(root, setting, message):
    with pytest.raises(ProfileError, match=message):
        apply(root, "drawn", [setting])
    assert not (root / "params.yaml").exists()


def test_a_profile_may_add_an_entry_like_its_siblings_and_remove_one(root):
    overlay = "train_encoder:\n  wide: {steps: 5, freeze: false}\n  fc: null\n"
    (root / "profiles/more.yaml").write_text(overlay)
    apply(root, "drawn")
    assert apply(root, "more") == ["train_encoder.wide: added", "train_encoder.fc: removed"]
    assert list(load(root)["train_encoder"]) == ["deep", "wide"]
    (root / "profiles/more.yaml").write_text("train_encoder:\n  wide: {step: 5, freeze: false}\n")
    with pytest.raises(ProfileError, match=r"profiles/more.yaml: no key train_encoder\.wide"):
        render(root, "more")


def test_values_edited_by_hand_are_not_overwritten_unless_forced(root):
    apply(root, "smoke", ["seed=2"])
    apply(root, "drawn")
    (root / "params.yaml").write_text(BASE.replace("seed: 1", "seed: 3"))
    with pytest.raises(ProfileError, match=r"holds values of no profile.*--force"):
        apply(root, "smoke")
    assert load(root)["seed"] == 3
    apply(root, "smoke", force=True)
    assert load(root)["seed"] == 1


def test_the_command_lists_profiles_and_names_the_nearest_of_a_wrong_one(root, capsys):
    assert main(["profile", "list", "--root", str(root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "drawn           Drawn faces: params.yaml as it is committed.",
        "smoke           About a minute.",
    ]
    assert main(["profile", "smok", "--root", str(root)]) == 2
    assert "did you mean smoke?" in capsys.readouterr().err
    assert main(["profile", "smoke", "--root", str(root)]) == 0


@pytest.mark.parametrize("name", profiles.names(ROOT))
def test_every_profile_of_the_project_fits_its_base(name):
    assert render(ROOT, name)
    assert profiles.about(ROOT, name), f"profiles/{name}.yaml begins with a comment that says what it is for"


@pytest.mark.skipif(not (ROOT / "profiles/drawn.yaml").exists(), reason="no base yet")
def test_the_committed_params_are_the_profile_drawn():
    """A clone that works with another profile is right to fail here: what it runs is not what was committed."""
    assert (ROOT / "params.yaml").read_text() == render(ROOT, "drawn")


@pytest.mark.parametrize(
    "broken",
    [b"a: [1\n", b"- 1\n", b"\xff\xfe\n", b"# Written by: facet profile \n", b'# Written by: facet profile "\n'],
)
def test_a_params_file_that_cannot_be_read_is_kept_unless_forced(root, broken):
    (root / "params.yaml").write_bytes(broken)
    with pytest.raises(ProfileError, match="--force"):
        apply(root, "smoke")
    assert (root / "params.yaml").read_bytes() == broken
    apply(root, "smoke", force=True)
    assert (root / "params.yaml").read_text().startswith(f"{profiles.SCHEMA}# Written by: facet profile smoke")


def test_a_profile_is_one_of_the_list_and_a_setting_has_a_value(root):
    with pytest.raises(ProfileError, match="is missing"):
        apply(root, "../params")
    with pytest.raises(ProfileError, match="expected key=value"):
        apply(root, "smoke", ["seed="])
