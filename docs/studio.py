"""Photograph docs/studio.png: the page of `facet studio` with a drawn face, painted on, in Chromium.

python docs/studio.py [--system vigan]"""

import argparse
import base64
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for the browser of the tests

from facet.photos import scenes  # noqa: E402
from facet.studio.folder import Folder  # noqa: E402
from facet.studio.security import new_token  # noqa: E402
from facet.studio.server import Settings, Studio, application  # noqa: E402
from facet.studio.trained import of_project  # noqa: E402
from tests.support.browser import Page, Served  # noqa: E402

SIZE = (1900, 1400)  # width and height of the picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", default="vigan")
    system = parser.parse_args().system
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        for index in range(4):
            scene = scenes.compose(3, index + 1, (1200, 1000), (520, 521))
            Image.fromarray(scene.pixels).save(photos / f"portrait-{index}.jpg", quality=92)
        served, token = Served(), new_token()
        studio = Studio(Settings(systems=of_project(ROOT, system), folder=Folder(photos)))
        served.start(application(studio, token=token, host="127.0.0.1", port=served.port))
        page = Page(Path(folder))
        try:
            photograph(page, f"http://127.0.0.1:{served.port}/{token}/")
        finally:
            page.close()
            served.stop()
            studio.close()


def photograph(page: Page, address: str) -> None:
    """Open the page, paint hair, and write the picture."""
    page.command("Emulation.setDeviceMetricsOverride", width=SIZE[0], height=SIZE[1], deviceScaleFactor=1, mobile=False)
    page.open(address)
    page.until("document.getElementById('said')?.textContent === 'Move a slider, or paint.'")
    page.run(
        "for (const part of document.querySelectorAll('details'))"
        " part.open = !/^(Faces|History)/.test(part.textContent.trim())"
    )
    page.press("b")
    page.run("document.getElementById('until').click()")
    left, top, width, height = page.run(
        "(() => { const face = document.querySelector('polygon.face').getBoundingClientRect();"
        " return [face.left, face.top, face.width, face.height]; })()"
    )
    page.drag(*((left + width * (0.3 + 0.04 * i), top + height * 0.2) for i in range(11)))
    page.until("/[2-9] strokes/.test(document.getElementById('said')?.textContent)")
    shot = page.command("Page.captureScreenshot", format="png")
    (ROOT / "docs/studio.png").write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    main()
