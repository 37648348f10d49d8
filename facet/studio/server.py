"""The studio's server: what the page may ask for. It keeps open photos, and no history: that is the page's."""

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from facet.base.errors import FacetError, InputError
from facet.base.version import VERSION
from facet.editing.modes import MODES
from facet.photos.folder.job import JobError
from facet.photos.folder.listing import RESERVED
from facet.photos.options import AUTO, MOVE
from facet.pictures.decode import BadImage
from facet.studio import rendering, samples, saving
from facet.studio.documents import MOST_PIXELS, Document, Documents
from facet.studio.folder import COMPARED, Folder
from facet.studio.rendering import in_words
from facet.studio.security import Guard
from facet.studio.states import parse
from facet.studio.trained import Trained
from facet.studio.worker import Overtaken, Worker

log = logging.getLogger(__name__)

MOST_UPLOAD = 256 << 20  # bytes of a photo
MOST_JSON = 16 << 20  # bytes of any other request: a state with thousands of strokes
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
T = TypeVar("T")


class TooLarge(Exception):
    """A request has more bytes than are read."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What the studio was started with."""

    systems: Mapping[str, Trained]  # the first is shown first
    folder: Folder | None = None
    prepared: Path | None = None  # of a project, for its test faces
    sample: bool = False  # begin with a face from the prior


class Studio:
    """The work behind the addresses."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.documents = Documents()
        self.quick, self.slow = Worker("preview"), Worker("photos")  # a save must not hold up a slider

    def close(self) -> None:
        """End the workers."""
        self.quick.close()
        self.slow.close()

    def status(self) -> dict[str, Any]:
        """What the page needs before anything is open."""
        folder = self.settings.folder
        return {
            "version": VERSION,
            "systems": list(self.settings.systems),
            "modes": [AUTO, MOVE, *MODES],
            "folder": None if folder is None else folder.described(),
            "sample": self.settings.sample,
            "tests": self.settings.prepared is not None,
            "most": {"bytes": MOST_UPLOAD, "pixels": MOST_PIXELS, "compared": COMPARED},
        }

    def trained(self, name: Any) -> Trained:
        """A system by its name."""
        if not isinstance(name, str) or name not in self.settings.systems:
            raise InputError(f"there is no such system; choose one of {', '.join(self.settings.systems)}")
        return self.settings.systems[name]

    def folder(self) -> Folder:
        """The folder that the studio was started with."""
        if self.settings.folder is None:
            raise InputError("the studio was started without a folder; name one: facet studio FOLDER")
        return self.settings.folder

    def opened(self, document: Document) -> dict[str, Any]:
        """A photo that is open from now on."""
        return self.documents.add(document).described()

    def sampled(self, trained: Trained, kind: Any, seed: Any) -> dict[str, Any]:
        """A face from the prior, or from the test split."""
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 31:
            raise InputError("seed: expected a whole number from 0")
        if kind == "test" and self.settings.prepared is not None:
            return self.opened(samples.of_test(trained, self.settings.prepared, seed))
        return self.opened(samples.of_prior(trained, seed))


def name_of(text: str) -> str:
    """A file's name as the page says it, without folders and what no file system or manifest can hold."""
    name = PurePosixPath(text.replace("\\", "/")).name
    name = "".join(letter for letter in name if letter.isprintable())
    name = name.encode("utf-8", "ignore")[:200].decode("utf-8", "ignore").strip()
    return "photo" if not name.strip(". ") or name in RESERVED else name


def application(studio: Studio, *, token: str, host: str, port: int) -> Guard:
    """The whole server: every address begins with the token."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    _add_errors(app)
    _add_page(app)
    _add_photos(app, studio)
    _add_results(app, studio)
    _add_folder(app, studio)
    return Guard(app, token=token, host=host, port=port)


def _add_errors(app: FastAPI) -> None:
    """Every failure is one line of JSON."""

    def told(status: int, text: str) -> JSONResponse:
        return JSONResponse({"error": " ".join(text.split())}, status_code=status)

    def refused(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, BadImage):
            return told(422, in_words(error.reason, error.detail))
        if isinstance(error, TooLarge):
            return told(413, str(error))
        if isinstance(error, Overtaken):
            return JSONResponse({"overtaken": True}, status_code=409)
        if isinstance(error, HTTPException):
            return told(error.status_code, "there is nothing at this address")
        if isinstance(error, MemoryError):
            return told(422, "not enough memory")
        return told(400, str(error))

    for kind in (BadImage, TooLarge, Overtaken, HTTPException, MemoryError, FacetError, JobError):
        app.add_exception_handler(kind, refused)

    @app.middleware("http")
    async def unexpected(request: Request, proceed: Callable[..., Any]) -> Any:
        try:
            return await proceed(request)
        except Exception as error:  # a bug: the server stays
            log.exception("%s", request.url.path)
            return told(500, f"an internal error ({type(error).__name__}: {error}); the terminal says more")


def _add_page(app: FastAPI) -> None:
    """The files of the page, read once: no name from a request is ever joined to a path."""
    files = {}
    for file in resources.files("facet.studio").joinpath("page").iterdir():
        kind = TYPES.get(PurePosixPath(file.name).suffix)
        if kind is not None:
            files[file.name] = (file.read_bytes(), kind)

    @app.get("/")
    async def index() -> Response:
        return Response(files["index.html"][0], media_type="text/html")

    @app.get("/page/{name}")
    async def page(name: str) -> Response:
        if name not in files:
            raise HTTPException(404)
        data, kind = files[name]
        return Response(data, media_type=kind)


def _add_photos(app: FastAPI, studio: Studio) -> None:
    """Opening photos, and looking at states of them."""

    @app.get("/api/status")
    async def status() -> Any:
        return await studio.slow.run(studio.status)

    @app.get("/api/systems/{name}")
    async def system(name: str) -> Any:
        trained = studio.trained(name)
        return await studio.slow.run(trained.described)

    @app.post("/api/photos")
    async def upload(request: Request) -> Any:
        name = name_of(request.query_params.get("name", ""))
        data = await body(request, MOST_UPLOAD)
        return await studio.slow.run(lambda: studio.opened(Document(name, data)))

    @app.post("/api/samples")
    async def sample(request: Request) -> Any:
        asked = await wanted(request)
        trained = studio.trained(asked.get("system"))
        return await studio.slow.run(lambda: studio.sampled(trained, asked.get("kind"), asked.get("seed", 0)))

    @app.get("/api/photos/{photo}/original")
    async def original(photo: str) -> Response:
        return Response(studio.documents.get(photo).data, media_type="application/octet-stream")

    @app.get("/api/photos/{photo}/screen")
    async def screen(photo: str) -> Response:
        document = studio.documents.get(photo)
        data = await studio.slow.run(lambda: rendering.jpeg_bytes(document.screen))
        return Response(data, media_type="image/jpeg")

    @app.post("/api/photos/{photo}/preview")
    async def preview(photo: str, request: Request) -> Any:
        asked = await wanted(request)
        document, trained, state = studio.documents.get(photo), studio.trained(asked.get("system")), _state(asked)
        panels = asked.get("panels") is True
        key = (str(asked.get("tab", ""))[:64], trained.name)
        return await studio.quick.run(lambda: rendering.preview(document, trained, state, panels=panels), key)


def _add_results(app: FastAPI, studio: Studio) -> None:
    """What one takes away."""

    async def on_photo(photo: str, request: Request, make: Callable[..., T]) -> T:
        asked = await wanted(request)
        document, trained, state = studio.documents.get(photo), studio.trained(asked.get("system")), _state(asked)
        return await studio.slow.run(lambda: make(document, trained, state))

    @app.post("/api/photos/{photo}/full")
    async def full(photo: str, request: Request) -> Response:
        pixels = await on_photo(photo, request, rendering.full)
        return Response(rendering.jpeg_bytes(pixels), media_type="image/jpeg")

    @app.post("/api/photos/{photo}/save")
    async def save(photo: str, request: Request) -> Response:
        made = await on_photo(photo, request, saving.saved)
        outcome = {"name": made.name, "status": made.status, "reason": made.reason, "notes": made.notes}
        return Response(
            made.data,
            media_type="application/octet-stream",
            headers={
                "content-disposition": f"attachment; filename*=UTF-8''{quote(made.name)}",
                "x-outcome": quote(json.dumps(outcome)),
            },
        )

    @app.post("/api/photos/{photo}/taken")
    async def taken(photo: str, request: Request) -> Any:
        return await on_photo(photo, request, saving.taken)

    @app.post("/api/photos/{photo}/both")
    async def both(photo: str, request: Request) -> Response:
        return Response(await on_photo(photo, request, saving.before_and_after), media_type="image/png")


def _add_folder(app: FastAPI, studio: Studio) -> None:
    """The photos of the folder that the studio was started with, by number."""

    @app.get("/api/folder")
    async def page(start: int = 0, unedited: bool = False) -> Any:
        return studio.folder().page(start, unedited=unedited)

    @app.get("/api/folder/{number}/thumbnail")
    async def thumbnail(number: int) -> Response:
        folder = studio.folder()
        return Response(await studio.slow.run(lambda: folder.thumbnail(number)), media_type="image/jpeg")

    @app.post("/api/folder/{number}/open")
    async def opened(number: int) -> Any:
        folder = studio.folder()
        return await studio.slow.run(lambda: studio.opened(folder.open(number)))

    @app.post("/api/folder/{number}/try")
    async def tried(number: int, request: Request) -> Any:
        asked = await wanted(request)
        folder, trained, state = studio.folder(), studio.trained(asked.get("system")), _state(asked)
        return await studio.slow.run(lambda: folder.tried(number, trained, state))


def _state(asked: Mapping[str, Any]) -> Any:
    return parse(asked.get("state", {}))


async def wanted(request: Request) -> dict[str, Any]:
    """The JSON object of a request; InputError if it is none."""
    try:
        value = json.loads(await body(request, MOST_JSON) or b"{}")
    except (ValueError, RecursionError):
        raise InputError("the request is no JSON; reload the page") from None
    if not isinstance(value, dict):
        raise InputError("the request is no JSON object; reload the page")
    return value


async def body(request: Request, most: int) -> bytes:
    """The bytes of a request; TooLarge if there are more than `most`, as soon as that is known."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > most:
        raise TooLarge(f"over {most >> 20} MB; choose a smaller file")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            raise TooLarge(f"over {most >> 20} MB; choose a smaller file")
    return bytes(data)
