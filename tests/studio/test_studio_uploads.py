"""What people and programs may send: photos of all kinds, and everything that is none."""

import io
import json
import random

import numpy as np
import pytest
from PIL import Image

from facet.studio import server
from tests.support import photographs, studio


def refused(answer) -> str:
    """The one line of a refusal."""
    assert answer.status_code in (400, 413, 422), answer.text
    said = answer.json()
    assert set(said) == {"error"}
    assert said["error"]
    assert "\n" not in said["error"]
    return said["error"]


OTHERS = (
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    b"%!PS-Adobe-3.0 EPSF-3.0\n",
    b"%PDF-1.7",
    b"PK\3\4",
    b"\x7fELF",
    b"GIF89a",
)


def hostile(number: int) -> bytes:
    """Damaged, cut, mixed and made-up bytes."""
    dice = random.Random(number)
    forms = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
    data = photographs.encoded(Image.fromarray(photographs.pixels(40, 40)), forms[number % len(forms)])
    kind = number // len(forms) % 6
    if kind == 0:
        return data[: dice.randrange(1, max(len(data) // 3, 2))]
    if kind == 1:
        return dice.randbytes(dice.randrange(1, 4000))
    if kind == 2:  # the head of one format, the rest of another
        return data[:20] + dice.randbytes(300)
    if kind == 3:
        return OTHERS[number % len(OTHERS)] + dice.randbytes(90)
    if kind == 4:
        return bomb(30_000 + number)
    return b"\xff\xd8\xff\xe1\xff\xff" + b"Exif\0\0II*\0" + dice.randbytes(200)


def bomb(side: int) -> bytes:
    """A PNG whose header says that it has side x side pixels."""
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part)) for name, part in chunks
    )


def test_two_hundred_hostile_uploads_are_refused_in_one_line_and_the_studio_goes_on():
    page = studio.client()
    for number in range(200):
        data = hostile(number)
        answer = page.post("api/photos", params={"name": f"{number}.jpg"}, content=data)
        if answer.status_code == 200:  # what is left of it is a picture
            assert answer.json()["size"][0] <= 40
        else:
            refused(answer)
    assert page.post("api/photos", params={"name": "a.jpg"}, content=b"").json()["error"] == "the file holds no bytes"
    photo = studio.uploaded(page, photographs.jpeg())
    assert studio.shown(page, photo["id"], {"spec": "Smiling=on"})["looked"]["moved"]


def test_most_of_the_hostile_uploads_are_no_pictures():
    page = studio.client()
    answers = [page.post("api/photos", content=hostile(number)).status_code for number in range(0, 200, 7)]
    assert answers.count(422) > 0.9 * len(answers)


def test_too_many_bytes_are_refused_before_they_are_read(monkeypatch):
    monkeypatch.setattr(server, "MOST_UPLOAD", 1000)
    page = studio.client()
    assert "choose a smaller file" in refused(page.post("api/photos", content=b"x" * 1001))
    lying = page.ask("POST", f"{studio.HOME}/{studio.TOKEN}/api/photos", content=iter_of(b"x" * 600, b"x" * 600))
    assert "choose a smaller file" in refused(lying)
    assert refused(page.post("api/photos", content=b"x" * 900)) == "the bytes are no picture of a format we read"


def iter_of(*parts: bytes):
    async def chunks():
        for part in parts:
            yield part

    return chunks()


def test_too_many_pixels_are_refused_by_the_header(monkeypatch):
    assert "100,000,000 at most" in refused(studio.client().post("api/photos", content=bomb(12_000)))


STATES = [
    None, [], "x", 7, {"spec": 7}, {"spec": "x" * 20_000}, {"spec": "Nonsense=on"}, {"spec": "Smiling=nan"},
    {"spec": "Smiling=on, Smiling=off"}, {"spec": "Black_Hair=on, Blond_Hair=on"}, {"mode": "paint"}, {"mode": 1},
    {"faces": -1}, {"faces": True}, {"faces": "some"}, {"faces": 2.5}, {"face": 99}, {"face": "0"}, {"sure": "high"},
    {"sure": 2}, {"sure": True}, {"refine": 10**6}, {"clip": 1}, {"path": "/etc/passwd"}, {"strokes": []},
    {"strokes": {"-1": []}}, {"strokes": {"0": {}}}, {"strokes": {"0": [{"x": 1}]}}, {"strokes": {"0": ["x"]}},
    {"strokes": {"0": [{"latent": {"99": 1.0}}]}}, {"strokes": {"0": [{"latent": {"0": 1e300}}]}},
    {"strokes": {"0": [{"x": 0.5, "y": 0.5, "size": 0.1, "colour": "red", "steps": 3}]}},
    {"strokes": {"0": [{"x": 0.5, "y": 0.5, "size": 0.1, "colour": "#ffffff", "steps": 10**9}]}},
    {"strokes": {"0": [{"stack": True}] * 20_001}}, {"strokes": {"٣": []}},
]  # fmt: skip


@pytest.mark.parametrize("state", STATES, ids=lambda state: json.dumps(state)[:40])
def test_a_state_that_makes_no_sense_is_refused_in_one_line(state):
    page = studio.client()
    photo = studio.uploaded(page, photographs.jpeg())["id"]
    own = studio.ALIGNED | state if isinstance(state, dict) else state
    for verb in ("preview", "save", "full", "taken", "both"):
        if verb in ("save", "full", "taken", "both") and state == {"face": 99}:
            continue  # a face that is only looked at
        if verb == "taken" and isinstance(state, dict) and list(state.get("strokes", ())) == ["0"]:
            continue  # strokes are given back as they came
        answer = page.post(f"api/photos/{photo}/{verb}", json={"system": "linear", "state": own})
        assert len(refused(answer)) < 500, verb


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b'"' + b"x" * 100 + b'"', b"null"])
def test_a_request_that_is_no_json_is_refused(body):
    page = studio.client()
    photo = studio.uploaded(page, photographs.jpeg())["id"]
    refused(page.post(f"api/photos/{photo}/preview", content=body))


def test_a_photo_that_is_not_open_and_a_system_that_is_not_there_are_told():
    page = studio.client()
    assert "not open any more" in refused(studio.asked(page, "0" * 32, "preview", {}))
    photo = studio.uploaded(page, photographs.jpeg())["id"]
    assert "choose one of linear" in refused(studio.asked(page, photo, "preview", {}, system="gpt"))
    assert "facet studio FOLDER" in refused(page.post("api/folder/0/open"))


def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(photographs.pixels())).save(file)
    return file.getvalue()


PHOTOS = {
    "grey": lambda: photographs.encoded(Image.fromarray(photographs.pixels()).convert("L"), "JPEG"),
    "cmyk": lambda: photographs.encoded(Image.fromarray(photographs.pixels()).convert("CMYK"), "JPEG"),
    "rotated": lambda: photographs.with_segments(
        photographs.encoded(Image.fromarray(np.rot90(photographs.pixels())), "JPEG"),
        (0xE1, b"Exif\0\0" + photographs.exif(6)),
    ),
    "alpha": lambda: photographs.encoded(Image.fromarray(photographs.pixels()).convert("RGBA"), "PNG"),
    "palette": lambda: photographs.encoded(Image.fromarray(photographs.pixels()).convert("P"), "GIF"),
    "heic": heic,
}


@pytest.mark.parametrize("kind", PHOTOS)
def test_photos_of_every_kind_are_shown_upright_edited_and_saved(kind):
    page = studio.client()
    photo = studio.uploaded(page, PHOTOS[kind](), f"a.{'heic' if kind == 'heic' else 'jpg'}")
    assert photo["size"] == [178, 218]
    assert {"grey": "greyscale", "cmyk": "CMYK", "rotated": "turned by its EXIF"}.get(kind, photo["facts"][0]) in photo[
        "facts"
    ]
    shown = studio.shown(page, photo["id"], {"spec": "Smiling=on"})
    assert shown["looked"]["moved"]
    data, outcome = studio.saved(page, photo["id"], {"spec": "Smiling=on"})
    assert outcome["status"] == "edited"
    assert data
    if kind == "palette":
        assert any("PNG" in note for note in photo["notes"])
