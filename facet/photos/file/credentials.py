"""Content credentials (C2PA) of edited photos, signed with the user's certificate by c2pa-python (extra c2pa).

A signature covers every byte, so it comes last; signatures differ from run to run."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from facet.base.errors import InputError
from facet.photos.file.xmp import EDITED

TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff", "HEIF": "image/heic",
         "AVIF": "image/avif"}  # fmt: skip
ALGORITHMS = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
LABEL = "org.facet.edit"  # of the assertion that holds the edit


class Credentials:
    """Signs edited photos with a certificate chain and its private key, both PEM files; InputError if they cannot."""

    def __init__(self, certificate: Path, key: Path):
        try:
            import c2pa
            from cryptography.hazmat.primitives.asymmetric import ec, ed25519
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            raise InputError(
                "content credentials need their extra; run `pip install -e '.[c2pa]'` in the clone"
            ) from None
        try:
            self._chain, self._key = certificate.read_text(encoding="ascii"), key.read_bytes()
            private = load_pem_private_key(self._key, password=None)
        except (OSError, UnicodeDecodeError, ValueError, TypeError) as error:
            raise InputError(f"{certificate}, {key}: expected PEM files without a password ({error})") from None
        if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in ALGORITHMS:
            self._algorithm = ALGORITHMS[private.curve.name]
        elif isinstance(private, ed25519.Ed25519PrivateKey):
            self._algorithm = "ed25519"
        else:
            raise InputError(f"{key} is not a key of the curves P-256, P-384, P-521 or Ed25519")
        self._c2pa = c2pa
        try:
            tiny = io.BytesIO()
            Image.new("L", (8, 8)).save(tiny, "PNG")
            self.sign(
                tiny.getvalue(), tiny.getvalue(), "PNG", dict.fromkeys(("AISystemUsed", "AISystemVersionUsed"), "-")
            )
        except c2pa.C2paError as error:
            raise InputError(f"{certificate} cannot sign content credentials ({error})") from None

    def _signer(self):  # type: ignore[no-untyped-def]  # c2pa has no stubs
        info = self._c2pa.C2paSignerInfo(self._algorithm, self._chain.encode(), self._key, None)
        return self._c2pa.Signer.from_info(info)

    def sign(self, data: bytes, source: bytes, form: str, properties: Mapping[str, str]) -> bytes:
        """Sign the edited file `data`, made from the file `source`; formats that are not in TYPES stay unsigned."""
        if form not in TYPES:
            return data
        action = {
            "action": "c2pa.edited",
            "digitalSourceType": EDITED,
            "softwareAgent": {"name": properties["AISystemUsed"], "version": properties["AISystemVersionUsed"]},
        }
        manifest = {
            "claim_generator_info": [{"name": "Facet"}],
            "assertions": [
                {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
                {"label": LABEL, "data": dict(properties)},
            ],
        }
        builder = self._c2pa.Builder(manifest)
        builder.set_intent(self._c2pa.C2paBuilderIntent.EDIT)
        builder.add_ingredient({"title": "photo", "relationship": "parentOf"}, _type_of(source), io.BytesIO(source))
        signed = io.BytesIO()
        builder.sign(self._signer(), TYPES[form], io.BytesIO(data), signed)
        return signed.getvalue()


def _type_of(data: bytes) -> str:
    if data.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data[8:12] == b"WEBP":
        return "image/webp"
    return "image/heic" if data[4:8] == b"ftyp" else "image/tiff" if data[:2] in (b"II", b"MM") else "image/gif"


def read(data: bytes, form: str) -> dict[str, object]:
    """Read the credentials of a file as c2pa reports them, with their `validation_state`."""
    import c2pa

    credentials: dict[str, object] = json.loads(c2pa.Reader(TYPES[form], io.BytesIO(data)).json())
    return credentials
