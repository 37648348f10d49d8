"""Jobs on a folder of photos, edited by the linear system, and what they leave in the output folder."""

import dataclasses
import hashlib
from pathlib import Path

import pandas as pd
from PIL import Image

from facet.photos.folder.job import Job
from facet.photos.folder.open_job import OpenJob
from facet.photos.folder.run import edit_folder
from facet.photos.options import Options
from tests.support import photographs

SPEC = "Smiling=on"


def write_photos(root: Path) -> Path:
    """Write six aligned photos under odd names, nested, and one file that is no photo; returns `root`."""
    (root / "Urlaub 2026/日本").mkdir(parents=True)
    names = ["a.jpg", "b c.JPG", "Urlaub 2026/Ä#%.jpeg", "Urlaub 2026/日本/写真.png", "-x.webp", "'q\".tif"]
    for seed, name in enumerate(names):
        form = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF"}.get(Path(name).suffix, "JPEG")
        how = {"lossless": True} if form == "WEBP" else {}
        (root / name).write_bytes(photographs.encoded(Image.fromarray(photographs.pixels(seed=seed)), form, **how))
    (root / "notes.txt").write_text("not a photo")
    return root


def use_linear_editor(patch) -> None:
    """Let every job edit with the linear system instead of loading a model."""

    def settings(self):
        options, job = dataclasses.asdict(self.job.options), self.job
        return {"options": options, "model": "m" * 64, "lossless": job.lossless, "strip_gps": job.strip_gps}

    patch.setattr(OpenJob, "editor", photographs.editor())
    patch.setattr(OpenJob, "settings", property(settings))


def aligned_job(photos: Path, out: Path, **changes) -> Job:
    """A job on aligned photos; `changes` are fields of Job, or `spec` and `options`, fields of Options."""
    options = Options(spec=changes.pop("spec", SPEC), aligned=True, **changes.pop("options", {}))
    fixed = {"model": Path("m"), "attributes": None, "judges": None, "workers": 2}
    return Job(photos=photos, out=out, options=options, **fixed, **changes)


def rows(out: Path) -> dict[str, dict]:
    """Rows of the manifest by file."""
    return {row["file"]: row for row in pd.read_parquet(out / "manifest.parquet").to_dict("records")}


def hashes(out: Path) -> dict[str, str]:
    """SHA-256 of every result by its name, without the job's own files."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".facet" not in path.parts and path.name not in ("manifest.parquet", "contact.html")
    }


def fresh_hashes(photos: Path, out: Path, **changes) -> dict[str, str]:
    """Hashes of the results of a job in a new folder."""
    edit_folder(aligned_job(photos, out, **changes))
    return hashes(out)
