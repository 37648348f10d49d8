"""Latency of the studio: from a request of its page to the picture for the screen, through the whole server.

    python benchmarks/studio.py [--root .] [--system vigan] [--model FOLDER] [--megapixels 12] [--count 40]

A drawn scene of that many megapixels is opened. Then a slider, `on` (which searches for the weakest edit), a tile of
the latent, and strokes of one step, of eight (the page's default) and until it shows are asked for, each time with new
values and after all strokes before; last, sliders in several tabs at once. Prints the median and the 95th percentile in
milliseconds; the goals on two cores are 100 and 250."""

import argparse
import asyncio
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from PIL import Image

from facet.photos import scenes
from facet.studio import trained
from facet.studio.server import Settings, Studio, application

TOKEN, PORT = "benchmark", 8642
TABS = 3
Wish = Callable[[int, list[dict[str, Any]]], dict[str, Any]]  # the state of the n-th request, given the strokes so far
COLOURS = ("#1c140f", "#f2d060", "#ffffff", "#803020")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--system", default="vigan")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--attributes", type=Path)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args()
    if options.model is None:
        systems = trained.of_project(options.root, options.system)
    else:
        judges = options.root / "data" / "judges"
        systems = trained.of_folder(options.model, options.attributes, judges if judges.exists() else None)
    asyncio.run(measure(systems, photo(options.megapixels), options.count))


def photo(megapixels: float) -> bytes:
    """A scene of 3 : 4 with a person whose face is two fifths of its height, as JPEG."""
    height = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    width = round(height * 3 / 4)
    scene = scenes.compose(3, 1, (width, height), (0.4 * height, 0.4 * height + 1))
    file = io.BytesIO()
    Image.fromarray(scene.pixels).save(file, "JPEG", quality=92)
    return file.getvalue()


def kinds(name: str) -> dict[str, Wish]:
    """What is asked for: the state for the n-th request, which may add to the strokes so far."""

    def stroke(how: Callable[[int], dict[str, Any]]) -> Wish:
        def state(n: int, strokes: list[dict[str, Any]]) -> dict[str, Any]:
            strokes.append(how(n))
            return {"strokes": {"0": list(strokes)}, "mode": "ian"}

        return state

    def brush(n: int, **how: Any) -> dict[str, Any]:
        return {"x": 0.3 + 0.01 * n % 0.4, "y": 0.2, "size": 0.16, "colour": COLOURS[n % len(COLOURS)], **how}

    return {
        "slider": lambda n, _: {"spec": f"{name}={-2 + 4 * n / 97:+.3f}"},
        "on": lambda n, _: {"spec": f"{name}={'on' if n % 2 else 'off'}", "sure": 0.6 + 0.003 * n},
        "tile": stroke(lambda n: {"latent": {str(n % 16): (n % 7) / 3 - 1}}),
        "stroke, 1 step": stroke(lambda n: brush(n, steps=1)),
        "stroke, 8 steps": stroke(lambda n: brush(n, steps=8)),
        "until it shows": stroke(lambda n: brush(n, reach=0.75, hold=20)),
    }


async def measure(systems: dict[str, trained.Trained], data: bytes, count: int) -> None:
    """Open the photo and print the latency of each kind of request."""
    name = next(iter(systems))
    app = application(Studio(Settings(systems=systems)), token=TOKEN, host="127.0.0.1", port=PORT)
    address = f"http://127.0.0.1:{PORT}/{TOKEN}/api/"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), timeout=600) as page:
        attributes = (await page.get(f"{address}systems/{name}")).json()["attributes"]
        begin = time.perf_counter()
        opened = (await page.post(f"{address}photos", params={"name": "a.jpg"}, content=data)).json()
        preview = f"{address}photos/{opened['id']}/preview"
        first = (await page.post(preview, json={"system": name, "state": {}})).json()
        print(f"{name}, {opened['size'][0]} x {opened['size'][1]}, {torch.get_num_threads()} thread")
        print(f"open and find {len(first['faces'])} face: {time.perf_counter() - begin:.1f} s")
        for kind, state in kinds(attributes[0]["name"]).items():
            times = [await latency(page, preview, {"system": name, "state": one}) for one in states(state, count)]
            median, slow = np.percentile(times, [50, 95])
            print(f"{kind:16} median {median:5.0f} ms   95 % {slow:5.0f} ms")
        slider = kinds(attributes[0]["name"])["slider"]
        tabs = [tab(page, preview, name, slider, str(number), count) for number in range(TABS)]
        times = [time for own in await asyncio.gather(*tabs) for time in own]
        median, slow = np.percentile(times, [50, 95])
        print(f"{f'slider, {TABS} tabs':16} median {median:5.0f} ms   95 % {slow:5.0f} ms")


async def tab(page: httpx.AsyncClient, address: str, name: str, state: Wish, tab: str, count: int) -> list[float]:
    """The latencies of one of several tabs, each of which asks again as soon as it has its picture."""
    return [await latency(page, address, {"system": name, "state": one, "tab": tab}) for one in states(state, count)]


def states(state: Wish, count: int) -> Iterator[dict[str, Any]]:
    """States one after the other, each with the strokes of all before."""
    strokes: list[dict[str, Any]] = []
    return (state(n, strokes) for n in range(count))


async def latency(page: httpx.AsyncClient, address: str, wish: dict[str, Any]) -> float:
    """Milliseconds until the picture is there."""
    begin = time.perf_counter()
    answer = await page.post(address, json=wish)
    assert answer.status_code == 200, answer.text
    return 1000 * (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
