"""The systems of a project and of a model folder: which there are, and the faces drawn from their priors."""

import shutil

import numpy as np
import pytest
import yaml

from facet.base.errors import InputError
from facet.studio import samples, trained
from facet.studio.rendering import preview
from facet.studio.states import command, parse
from tests.support import small

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["vigan", "dcgan"])
def project(request, tmp_path_factory):
    """A project in which one system is trained, laid out as the pipeline does."""
    root, name = tmp_path_factory.mktemp("project"), request.param
    made = small.with_table(small.train(root / "made", name))
    model = (
        root
        / "data"
        / ("models" if made.name == "model" else "encoders")
        / (name if made.name == "model" else made.name)
    )
    shutil.copytree(made, model)
    if made.name != "model":
        shutil.copytree(root / "made" / "model", root / "data" / "models" / name)
    (root / "data" / "attributes").mkdir()
    shutil.move(model / "attributes.parquet", root / "data" / "attributes" / f"{name}.parquet")
    entries = {other: {"model": f"data/models/{other}"} for other in ("vigan", "dcgan", "ian")}
    entries[name]["model"] = str(model.relative_to(root))
    (root / "params.yaml").write_text(yaml.safe_dump({"systems": entries}))
    return root, name, model


def test_the_systems_of_a_project_are_those_that_are_trained(project):
    root, name, model = project
    found = trained.of_project(root, name)
    assert list(found) == [name]
    assert found[name].model == model
    assert command(parse({"spec": "Smiling=on"}), "a.jpg", found[name].named, landmarks=False) == (
        f"facet edit a.jpg edited --set Smiling=on --system {name} --root {root}"
    )
    with pytest.raises(InputError, match="stylegan"):
        trained.of_project(root, "stylegan")


def test_a_sample_is_what_the_system_draws_for_its_seed(project):
    root, name, model = project
    by_name = trained.of_project(root, name)[name]
    (by_folder,) = trained.of_folder(model, root / "data" / "attributes" / f"{name}.parquet", None).values()
    first, again, other = samples.of_prior(by_name, 3), samples.of_prior(by_folder, 3), samples.of_prior(by_name, 4)
    assert first.data == again.data
    assert (first.sample == again.sample).all()
    assert (first.sample != other.sample).any()
    assert first.id != other.id
    shown = preview(first, by_name, parse({"mode": "decode"}))["looked"]
    assert shown["latent"] == pytest.approx(first.sample[0].tolist(), abs=1e-3)
    moved = preview(first, by_name, parse({"mode": "decode", "spec": "Smiling=+1"}))["looked"]
    assert moved["moved"]


def test_a_test_face_is_one_of_the_prepared_pictures(project):
    root, name, _ = project
    own = trained.of_project(root, name)[name]
    face = samples.of_test(own, root / "made" / "prepared", 5)
    assert face.photo.size == (256, 256)
    assert np.ptp(face.photo.pixels) > 20
    with pytest.raises(InputError, match="there are no test faces here"):
        samples.of_test(own, root, 5)
