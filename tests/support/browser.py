"""A headless Chromium that tests drive by its DevTools protocol; they are skipped where it is not installed."""

import itertools
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import uvicorn

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--remote-debugging-port=0", "--window-size=1300,900",
)  # fmt: skip
PATIENCE = 30  # seconds


class Page:
    """One tab. `errors` are exceptions of its scripts and what its Content-Security-Policy refused."""

    def __init__(self, folder: Path):
        """`folder` gets the browser's profile and what is downloaded."""
        client = pytest.importorskip("websockets.sync.client")
        if CHROMIUM is None:
            pytest.skip("Chromium is not installed")
        self.downloads, profile = folder / "downloads", folder / "profile"
        self.downloads.mkdir()
        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        active = profile / "DevToolsActivePort"
        wait(lambda: active.exists() and active.read_text().count("\n"), "Chromium does not start")
        port = active.read_text().split("\n")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            tab = next(one for one in json.load(answer) if one["type"] == "page")
        self._socket = client.connect(tab["webSocketDebuggerUrl"], max_size=None)
        self._numbers, self.errors = itertools.count(1), list[str]()
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")
        self.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def command(self, method: str, **how: Any) -> Any:
        """The result of a command of the protocol."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": how}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(message["params"])[:400])
            entry = message.get("params", {}).get("entry", {})
            if entry.get("source") == "security":
                self.errors.append(entry["text"])

    def open(self, address: str) -> None:
        self.command("Page.navigate", url=address)

    def run(self, code: str) -> Any:
        """The value of an expression in the page."""
        result = self.command("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, code: str) -> Any:
        """Wait until an expression is true."""
        return wait(lambda: self.run(code), f"never true: {code}")

    def choose(self, selector: str, path: Path) -> None:
        """Choose a file in an input."""
        root = self.command("DOM.getDocument")["root"]["nodeId"]
        node = self.command("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.command("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def drag(self, *points: tuple[float, float]) -> None:
        """Press the mouse at the first point, move it over the others, and let go."""
        for i, (x, y) in enumerate(points):
            kind = "mouseMoved" if i else "mousePressed"
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
        x, y = points[-1]
        self.command("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key; 2 is Ctrl, 8 is Shift."""
        self.command("Input.dispatchKeyEvent", type="keyDown", key=key, modifiers=modifiers)
        self.command("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait()


class Served:
    """A server of an application in this process, which can be stopped and started again at the same port."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self, app: Any) -> None:
        config = uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="critical", ws="none", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait(lambda: self._server.started, "the server does not start")

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(PATIENCE)


def wait(true: Any, failure: str) -> Any:
    """The first true value of a function."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = true()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(failure)
