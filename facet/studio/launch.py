"""Start the studio: bind an address, print it, open a browser."""

import contextlib
import errno
import socket
import sys
import threading
import webbrowser

import uvicorn

from facet.base.errors import InputError
from facet.studio.security import is_loopback, new_token
from facet.studio.server import Settings, Studio, application

PORT = 8642  # if it is free: pages of one address keep their histories
MOST_CONNECTIONS = 100


def serve(settings: Settings, *, host: str, port: int | None, browser: bool) -> None:
    """Serve until interrupted; `port` None is PORT or any free one. InputError if the address cannot be used."""
    bound = _bound(host, port)
    studio, token, own_port = Studio(settings), new_token(), bound.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{own_port}/{token}/"
    config = uvicorn.Config(
        application(studio, token=token, host=host, port=own_port),
        log_level="warning",
        access_log=False,  # addresses hold the token
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
        ws="none",
        lifespan="off",
        proxy_headers=False,  # nobody stands between
    )
    print(f"the studio is at\n\n  {address}\n", flush=True)
    if not is_loopback(host):
        print("anyone who knows this address can edit and save with your model; it is not encrypted", file=sys.stderr)
    print("Ctrl-C ends it; the page keeps its history", flush=True)
    if browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
        uvicorn.Server(config).run(sockets=[bound])
    studio.close()


def _bound(host: str, port: int | None) -> socket.socket:
    """A socket that listens at the address."""
    for one in (PORT, 0) if port is None else (port,):
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, one))
            bound.listen()  # who comes before the server runs waits
        except OSError as error:
            bound.close()
            if port is None and one and error.errno == errno.EADDRINUSE:
                continue
            raise InputError(f"{host}:{one} cannot be used ({error.strerror}); choose another --port") from None
        return bound
    raise AssertionError("port 0 is always free")
