"""A job with its files open, each of them once in a process."""

import dataclasses
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from facet.base.errors import InputError
from facet.base.files import hash_named
from facet.base.junk import is_junk
from facet.editing.spec import Spec
from facet.photos.editor import PhotoEditor, table_of
from facet.photos.faces.landmarks import read_landmarks
from facet.photos.faces.user_masks import Masks
from facet.photos.file.credentials import Credentials
from facet.photos.folder.job import Job
from facet.photos.folder.listing import Listing, listing, outputs
from facet.photos.folder.manifest import ManifestReader
from facet.photos.options import compositing_mode
from facet.refining.refiner import refiner_of

RECIPE = 6  # raised when the same options give other bytes
FINDING = 3  # raised when the same photo gives other faces


class OpenJob:
    """A job and everything that it reads: landmarks, masks, listing, model, manifest, certificate.

    Landmarks and masks are opened at once, so that InputError comes before anything is written; the rest on first use,
    because the manifest must wait for the lock of the output folder. Threads may share a job after `open_all`."""

    def __init__(self, job: Job):
        self.job = job
        self.landmarks = read_landmarks(job.landmarks) if job.landmarks else None
        self.masks = Masks(job.masks) if job.masks else None

    def open_model(self) -> None:
        """Open the model and the certificate, and check that the model can do the edit."""
        for name in ("editor", "spec", "credentials"):
            getattr(self, name)

    def open_all(self) -> None:
        """Open everything that editing needs."""
        for name in ("listing", "editor", "outputs", "manifest", "mode", "_key_settings", "credentials"):
            getattr(self, name)

    @functools.cached_property
    def listing(self) -> Listing:
        """The photos."""
        return listing(self.job.photos)

    @functools.cached_property
    def manifest(self) -> ManifestReader:
        """The rows of earlier runs."""
        return ManifestReader(self.job.out)

    @functools.cached_property
    def outputs(self) -> dict[str, str]:
        """The path of each edited photo in the output folder, by the photo's name."""
        return outputs(self.listing.items, lossless=self.job.lossless)

    @functools.cached_property
    def attributes(self) -> Path:
        """The attributes table."""
        return self.job.attributes or table_of(self.job.model)

    @functools.cached_property
    def editor(self) -> PhotoEditor:
        """The trained system."""
        job = self.job
        return PhotoEditor.load(job.model, self.attributes, judges=job.judges, device=job.device, threads=1)

    @functools.cached_property
    def credentials(self) -> Credentials | None:
        """Signs results, if the job has a certificate and its key."""
        job = self.job
        return Credentials(job.certificate, job.key) if job.certificate and job.key else None

    @functools.cached_property
    def spec(self) -> Spec:
        """The edit; InputError if it is empty or the system cannot do it."""
        spec = self.editor.parse(self.job.options.spec)
        if not spec.changes:
            raise InputError("the edit is empty; write for example Smiling=on")
        return spec

    @property
    def prompt(self) -> str:
        """What the metadata of results says was asked for."""
        return str(self.spec)

    @functools.cached_property
    def mode(self) -> str:
        """The compositing mode."""
        return compositing_mode(self.job.options.mode)

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """Everything besides the photo that the bytes of a result depend on."""
        job = self.job
        return {
            "recipe": RECIPE,
            "options": dataclasses.asdict(job.options),
            "lossless": job.lossless,
            "strip_gps": job.strip_gps,
            "model": folder_hash(job.model),
            "attributes": sha256(self.attributes.read_bytes()),
            "judges": folder_hash(job.judges) if job.judges else "",
            "refiner": folder_hash(refiner) if (refiner := refiner_of(job.model)) else "",
            "certificate": sha256(job.certificate.read_bytes()) if job.certificate else "",
        }

    def result_key(self, input_sha256: str, landmarks: bytes, mask: bytes) -> str:
        """The manifest's `key`: the same key, the same result."""
        return sha256(self._key_settings[0] + input_sha256.encode() + landmarks + mask)

    def faces_key(self, input_sha256: str, landmarks: bytes) -> str:
        """The manifest's `looked`: the same key, the same faces."""
        return sha256(self._key_settings[1] + input_sha256.encode() + landmarks)

    @functools.cached_property
    def _key_settings(self) -> tuple[bytes, bytes]:
        """The settings that results depend on, and those that the faces of a photo depend on, as JSON."""
        options = self.settings["options"] | {"spec": str(self.spec)}  # every spelling of a spec gives the same key
        faces = {name: options[name] for name in ("faces", "aligned", "least", "away")}
        both = self.settings | {"options": options}, faces | {"finding": FINDING}
        result_settings, face_settings = (json.dumps(part, sort_keys=True).encode() for part in both)
        return result_settings, face_settings


def folder_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of a folder's files, without junk."""
    return hash_named(
        (path.name, path) for path in sorted(folder.iterdir()) if path.is_file() and not is_junk(path.name)
    )


def sha256(data: bytes) -> str:
    """SHA-256 as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
