"""Content credentials: signed last, valid, naming what was asked; and those of the photo before, which must go."""

import datetime
import io

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from facet.base.errors import InputError
from facet.photos.file import credentials
from facet.photos.file.credentials import Credentials
from facet.photos.file.place_walk import place_left
from facet.photos.file.xmp import EDITED
from facet.photos.folder.run import edit_folder
from tests.support import photographs
from tests.support.photo_jobs import aligned_job, rows

pytestmark = [pytest.mark.usefixtures("linear_editor"), pytest.mark.slow]

PROPERTIES = {"AISystemUsed": "Facet linear", "AISystemVersionUsed": "1", "AIPromptInformation": "Smiling=on"}


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    """A certificate chain made for this test, and its key."""
    folder = tmp_path_factory.mktemp("pems")

    def name(text):
        names = [(NameOID.COMMON_NAME, text), (NameOID.ORGANIZATION_NAME, "Test")]
        return x509.Name([x509.NameAttribute(kind, value) for kind, value in names])

    def certificate(subject, public, issuer, signing, *, authority):
        usage = x509.KeyUsage(not authority, False, False, False, False, authority, False, False, False)
        start = datetime.datetime(2026, 1, 1)
        built = (
            x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=36_500))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
            .add_extension(usage, critical=True)
        )  # fmt: skip
        if not authority:
            built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        return built.sign(signing, hashes.SHA256())

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = [
        certificate("Leaf", leaf.public_key(), "Root", root, authority=False),
        certificate("Root", root.public_key(), "Root", root, authority=True),
    ]
    pem = serialization.Encoding.PEM
    (folder / "chain.pem").write_bytes(b"".join(one.public_bytes(pem) for one in chain))
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(leaf.private_bytes(pem, form, serialization.NoEncryption()))
    return folder / "chain.pem", folder / "key.pem"


def test_every_result_has_valid_credentials_that_say_what_was_done(photos, tmp_path, pems):
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out, certificate=pems[0], key=pems[1]))
    for name, form in (("a.jpg", "JPEG"), ("Urlaub 2026/日本/写真.png", "PNG"), ("-x.webp", "WEBP")):
        data = (out / name).read_bytes()
        found = credentials.read(data, form)
        assert found["validation_state"] == "Valid", (name, found.get("validation_status"))
        manifest = found["manifests"][found["active_manifest"]]
        actions = next(a["data"]["actions"] for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))
        assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited"]
        assert actions[1]["digitalSourceType"] == EDITED
        asked = next(a["data"] for a in manifest["assertions"] if a["label"] == credentials.LABEL)
        assert asked["AIPromptInformation"] == "Smiling=on"
        assert manifest["ingredients"][0]["relationship"] == "parentOf"
        Image.open(io.BytesIO(data)).load()
        data = bytearray(data)
        data[200 if form == "WEBP" else -200] ^= 1  # of its pixels
        assert credentials.read(bytes(data), form)["validation_state"] == "Invalid"


def test_old_credentials_go_with_the_photo_they_were_of(photos, tmp_path, pems):
    signed = Credentials(*pems).sign(photographs.jpeg(), photographs.jpeg(), "JPEG", PROPERTIES)
    (photos / "signed.jpg").write_bytes(signed)
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    assert b"jumb" not in (out / "signed.jpg").read_bytes()
    assert rows(out)["signed.jpg"]["notes"].tolist() == ["credentials_dropped"]
    again = tmp_path / "again"
    edit_folder(aligned_job(photos, again, certificate=pems[0], key=pems[1]))
    assert credentials.read((again / "signed.jpg").read_bytes(), "JPEG")["validation_state"] == "Valid"
    np.testing.assert_array_equal(Image.open(again / "signed.jpg"), Image.open(out / "signed.jpg"))


def test_pems_that_cannot_sign_are_a_clear_error(tmp_path, pems):
    (tmp_path / "no.pem").write_text("nonsense")
    for chain, key in ((tmp_path / "none.pem", pems[1]), (pems[0], tmp_path / "no.pem"), (pems[1], pems[0])):
        with pytest.raises(InputError, match="expected PEM files"):
            Credentials(chain, key)
    with pytest.raises(InputError, match="cannot sign content credentials"):
        Credentials(tmp_path / "no.pem", pems[1])


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_no_place_comes_back_with_the_credentials_of_the_photo_before(photos, tmp_path, pems, form):
    plain = photographs.encoded(Image.fromarray(photographs.pixels()), form)
    placed = PROPERTIES | {"exif:GPSLatitude": "48,51.5N", "padding": "x" * 100_000}
    source = photos / {"JPEG": "a.jpg", "PNG": "placed.png"}[form]
    source.write_bytes(Credentials(*pems).sign(plain, plain, form, placed))
    assert place_left(source.read_bytes())
    edit_folder(aligned_job(photos, tmp_path / "out", certificate=pems[0], key=pems[1], strip_gps=True))
    result = (tmp_path / "out" / source.name).read_bytes()
    assert rows(tmp_path / "out")[source.name]["status"] == "edited"
    assert place_left(result) == ""
    assert credentials.read(result, form)["validation_state"] == "Valid"
