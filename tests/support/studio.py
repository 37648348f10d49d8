"""A studio on the linear system, and a client that asks it as its own page does."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from facet.studio.folder import Folder
from facet.studio.server import Settings, Studio, application
from facet.studio.trained import Trained
from tests.support import photographs
from tests.support.linear_system import LinearJudge

TOKEN, PORT = "t" * 32, 8642
HOME = f"http://127.0.0.1:{PORT}"
ALIGNED = {"aligned": True}


def trained(name: str = "linear") -> Trained:
    """The linear system, which judges its own results."""
    one = Trained(name, Path("m"), Path("a"), None, Path("g"), ("--system", name))
    editor = photographs.editor()
    editor.crop_editor.judge = LinearJudge()
    one.__dict__["editor"] = editor
    return one


class Client:
    """Asks a server in this process, each time on a loop of its own."""

    def __init__(self, app: Any):
        self._app = app

    def ask(self, method: str, address: str, **how: Any) -> httpx.Response:
        """The response at a whole address, with no header but those given."""

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self._app)) as client:
                return await client.request(method, address, **how)

        return asyncio.run(ask())

    def get(self, address: str) -> httpx.Response:
        """The response at an address below the token's."""
        return self.ask("GET", f"{HOME}/{TOKEN}/{address}")

    def post(self, address: str, **how: Any) -> httpx.Response:
        """The response to the page's own request."""
        return self.ask("POST", f"{HOME}/{TOKEN}/{address}", headers={"origin": HOME}, **how)


def client(folder: Folder | None = None, **settings: Any) -> Client:
    """A client of a new studio."""
    systems = settings.pop("systems", None) or {"linear": trained()}
    own = Settings(systems=systems, folder=folder, **settings)
    return Client(application(Studio(own), token=TOKEN, host="127.0.0.1", port=PORT))


def uploaded(studio: Client, data: bytes, name: str = "a.jpg") -> dict[str, Any]:
    """What the studio says of a photo that it opened."""
    answer = studio.post("api/photos", params={"name": name}, content=data)
    assert answer.status_code == 200, answer.text
    return answer.json()


def asked(studio: Client, photo: str, verb: str, state: dict[str, Any], **more: Any) -> Any:
    """The response to a state of a photo."""
    return studio.post(f"api/photos/{photo}/{verb}", json={"system": "linear", "state": ALIGNED | state} | more)


def shown(studio: Client, photo: str, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The preview of a state."""
    answer = asked(studio, photo, "preview", state, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def saved(studio: Client, photo: str, state: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The bytes that the studio saves, and the outcome that it tells."""
    answer = asked(studio, photo, "save", state)
    assert answer.status_code == 200, answer.text
    return answer.content, json.loads(unquote(answer.headers["x-outcome"]))
