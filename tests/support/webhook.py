"""A webhook on 127.0.0.1 that keeps what it receives."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple


class Webhook(NamedTuple):
    """A running webhook."""

    url: str
    received: list[str]  # texts of the messages
    answers: list[int]  # status codes of the next answers; 200 once they are used up


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """Run a webhook during the block."""
    received: list[str] = []
    answers: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Webhook(f"http://127.0.0.1:{server.server_port}/", received, answers)
    finally:
        server.shutdown()
        server.server_close()
