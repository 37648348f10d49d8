"""Who may talk to the studio: the page at the address that was printed, and nobody else.

Any page in a browser can send requests to this machine. Host keeps names away that others point at it (DNS rebinding),
Origin and Sec-Fetch-Site keep away other pages, and the token keeps away other users and programs of the machine."""

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # the address holds the token
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """True if only this machine can reach a server at this host."""
    return host in LOOPBACK


class Guard:
    """Lets requests through whose address begins with the token, and takes it off. All others get one line."""

    def __init__(self, app: ASGIApp, *, token: str, host: str, port: int):
        self._app, self._token, self._host, self._port = app, token, host, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # a websocket: the server closes it
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal:
            response = PlainTextResponse(f"{refusal}\n", status_code=403)
            await response(scope, receive, _with_headers(send))
            return
        path = scope["path"][len(self._token) + 1 :]
        inner = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}
        await self._app(inner, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """Why a request is refused; empty if it is not."""
        host = headers.get("host", "")
        if not self._is_own(host):
            return "wrong host: open the address that `facet studio` printed"
        if "origin" in headers and headers["origin"] != f"http://{host}":
            return "another page sent this: only the studio's own page may"
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return "another page sent this: only the studio's own page may"
        first = scope["path"].removeprefix("/").split("/", 1)[0]
        if not secrets.compare_digest(first.encode(), self._token.encode()):
            return "no token, or that of an earlier start: open the address that `facet studio` printed"
        return ""

    def _is_own(self, host: str) -> bool:
        """True if a Host header names this server."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if (port or 80) != self._port or parts.path or parts.username is not None or parts.query or parts.fragment:
            return False
        if name in LOOPBACK or name == self._host:
            return True
        return self._host in EVERYWHERE and (_is_address(name) or name == socket.gethostname().lower())


def _is_address(name: str) -> bool:
    """True for an IP address, which nobody can point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    """`send` that adds HEADERS to every response."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        await send(message)

    return sending
