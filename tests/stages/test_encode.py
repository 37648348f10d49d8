import dataclasses
from pathlib import Path

import numpy as np
import pytest

from facet import systems
from facet.base import images
from facet.base.errors import InputError
from facet.base.tables import latents_meta, read_faces, read_latents
from stages import encode
from tests.support import small
from tests.support.linear_system import DIMS, LinearSystem, faces, rewrite_meta


@pytest.fixture
def params(tmp_path, monkeypatch):
    faces(tmp_path / "prepared", count=50)
    monkeypatch.setattr(systems, "load", lambda folder, device: LinearSystem())
    monkeypatch.setattr(encode, "LATENT_SHARD", 16)
    return encode.Params(
        model=Path("model"),
        prepared=tmp_path / "prepared",
        latents=tmp_path / "latents",
        batch_size=7,
        threads=1,
        device="cpu",
        precision="fp32",
    )


def test_every_image_becomes_its_latent_in_the_order_of_the_faces(params):
    encode.run(params)
    shards = list(read_latents(params.latents))
    assert [len(shard["z"]) for shard in shards] == [16, 16, 16, 2]
    ids = np.concatenate([shard["image_id"] for shard in shards])
    assert ids.tolist() == read_faces(params.prepared).ok["image_id"].tolist()
    expected = LinearSystem().encode(images.to_tensor(np.load(params.prepared / "images.npy")))
    np.testing.assert_allclose(np.concatenate([shard["z"] for shard in shards]), expected, atol=1e-6)


def test_the_latents_say_where_they_come_from(params):
    encode.run(params)
    meta = latents_meta(params.latents)
    assert (meta["system"], meta["crop"], meta["z_dim"], meta["y_dim"]) == ("linear", "face120", DIMS, 0)
    assert meta["split_hash"] == LinearSystem.split_hash


def test_encoding_twice_gives_the_same_bytes_and_leaves_no_old_shard(params):
    encode.run(params)
    first = {path.name: path.read_bytes() for path in params.latents.iterdir()}
    (params.latents / "part-9999.parquet").write_bytes(b"stale")
    encode.run(params)
    assert {path.name: path.read_bytes() for path in params.latents.iterdir()} == first


def test_a_system_with_conditions_stores_them_apart(params, monkeypatch):
    class Conditional(LinearSystem):
        z_dim, y_dim = DIMS - 4, 4

    monkeypatch.setattr(systems, "load", lambda folder, device: Conditional())
    encode.run(params)
    shard = next(read_latents(params.latents, ("z", "y")))
    assert (shard["z"].shape[1], shard["y"].shape[1]) == (DIMS - 4, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"crop": "dcgan108"}, "crop face120"), ({"size": 32}, "size 16"), ({"split_hash": "1" * 64}, "split 000")],
)
def test_images_that_the_model_was_not_trained_for_are_refused(params, change, message):
    rewrite_meta(params.prepared, **change)
    with pytest.raises(InputError, match=message):
        encode.run(params)
    assert not params.latents.exists()


def test_a_failure_half_way_leaves_nothing_behind(params, monkeypatch):
    class Failing(LinearSystem):
        calls = 0

        def encode(self, x):
            Failing.calls += 1
            if Failing.calls > 3:
                raise RuntimeError("out of memory")
            return super().encode(x)

    monkeypatch.setattr(systems, "load", lambda folder, device: Failing())
    with pytest.raises(RuntimeError, match="out of memory"):
        encode.run(dataclasses.replace(params))
    assert list(params.latents.parent.glob("*latents*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "processes", "dask"])
def test_every_engine_writes_the_same_bytes(tmp_path, monkeypatch, engine):
    if engine == "dask":
        pytest.importorskip("distributed")
    monkeypatch.setattr(encode, "LATENT_SHARD", 16)
    params = encode.Params(
        model=small.train(tmp_path, "vigan"), prepared=tmp_path / "prepared", latents=tmp_path / "latents",
        batch_size=7,
        threads=1, device="cpu", precision="auto",
    )  # fmt: skip

    def written() -> dict[str, bytes]:
        encode.run(params)
        return {path.name: path.read_bytes() for path in params.latents.iterdir()}

    here = written()
    assert len(here) == 3
    monkeypatch.setenv("FACET_ENGINE", engine)
    monkeypatch.setenv("FACET_JOBS", "2")
    assert written() == here


def test_an_unknown_engine_is_refused_and_a_failing_piece_fails_the_stage(params, monkeypatch):
    monkeypatch.setenv("FACET_ENGINE", "steam")
    with pytest.raises(InputError, match="choose one of here, threads, processes, dask"):
        encode.run(params)
    monkeypatch.setenv("FACET_ENGINE", "threads")
    monkeypatch.setenv("FACET_JOBS", "many")
    with pytest.raises(InputError, match="expected a number of workers"):
        encode.run(params)
    monkeypatch.setenv("FACET_JOBS", "2")
    monkeypatch.setattr(encode, "write_latents_part", lambda *args: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        encode.run(params)
    assert not params.latents.exists()
