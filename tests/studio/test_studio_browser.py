"""The studio's page in a real browser: open, slide, paint, undo, wipe, save, and a server that ends."""

import json

import numpy as np
import pytest
from PIL import Image

from facet.photos.folder.run import edit_folder
from facet.studio.server import Settings, Studio, application
from tests.support import photo_jobs, photographs, studio
from tests.support.browser import Page, Served, wait

pytestmark = pytest.mark.slow

SAID = "document.getElementById('said').textContent"
STEPS = "[...document.querySelectorAll('#steps_list button')].map(step => step.textContent)"
CURRENT = "[...document.querySelectorAll('#steps_list button')].findIndex(step => step.ariaCurrent === 'step')"


def app(port):
    return application(
        Studio(Settings(systems={name: studio.trained(name) for name in ("linear", "other")})),
        token=studio.TOKEN,
        host="127.0.0.1",
        port=port,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    page = Page(tmp_path_factory.mktemp("browser"))
    yield page
    page.close()


@pytest.fixture
def server():
    served = Served()
    served.start(app(served.port))
    yield served
    served.stop()


@pytest.fixture
def opened(page, server, tmp_path):
    """The page with a photo that is framed like the training images."""
    photo = tmp_path / "photos" / "a.png"
    photo.parent.mkdir()
    Image.fromarray(photographs.pixels()).save(photo)
    page.errors.clear()
    page.open(f"http://127.0.0.1:{server.port}/{studio.TOKEN}/")
    page.until("document.querySelectorAll('.slider').length === 4")
    page.choose("#file", photo)
    page.until(f"{SAID}.startsWith('no face was found')")
    page.run("document.getElementById('aligned').click()")
    page.until(f"{SAID} === 'Move a slider, or paint.'")
    yield page
    assert page.errors == []


def slide(page, value, kind="change"):
    page.run(
        "(() => { const range = document.querySelector('.slider input[type=range]');"
        f" range.value = {value}; range.dispatchEvent(new Event('input'));"
        f" range.dispatchEvent(new Event('{kind}')); }})()"
    )


def test_a_slider_undo_and_save_give_the_bytes_of_the_command(opened, tmp_path):
    page = opened
    slide(page, 1.5)
    page.until(f"/^Smiling \\d+ → \\d+ %/.test({SAID})")
    slide(page, -1)
    page.until(f"{CURRENT} === 3")
    page.press("z", 2)
    page.until(f"{CURRENT} === 2")
    assert page.run(STEPS) == ["The photo", "aligned", "Smiling +1.5", "Smiling -1"]
    page.until("document.getElementById('command').value.includes('--set Smiling=+1.5')")
    page.run("document.getElementById('save').click()")
    page.until(f"{SAID}.startsWith('a.png saved')")
    result = page.downloads / "a.png"
    wait(result.exists, "nothing was downloaded")
    edit_folder(photo_jobs.aligned_job(tmp_path / "photos", tmp_path / "out", spec="Smiling=+1.5"))
    assert result.read_bytes() == (tmp_path / "out" / "a.png").read_bytes()
    result.unlink()


def test_one_drag_is_one_step_and_paint_and_tiles_move_the_latent(opened):
    page = opened
    page.press("b")
    left, top, width, height = page.run(
        "(() => { const box = document.querySelector('polygon.face').getBoundingClientRect();"
        " return [box.left, box.top, box.width, box.height]; })()"
    )
    page.drag(*((left + width * share, top + height * 0.2) for share in np.linspace(0.2, 0.6, 9)))
    page.until(f"/^\\d+ strokes?\\./.test({SAID})")
    assert page.run(STEPS)[1:] == ["aligned", "Paint #1c140f"]
    assert page.run("document.querySelectorAll('#board button.set').length") > 0
    page.run("document.getElementById('boards').open = true; document.getElementById('board').scrollIntoView()")
    tiles = page.run(
        "[...document.querySelectorAll('#board button')].slice(8, 11).map(tile => {"
        " const box = tile.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]; })"
    )
    page.drag(*map(tuple, tiles))
    page.until(f"{CURRENT} === 3")
    assert page.run(STEPS)[-1] == "3 tiles"
    page.until("document.querySelectorAll('#board button')[9].getAttribute('aria-label') === 'Latent 10: 1.5'")
    page.run(
        "document.getElementById('wipe').value = 50; document.getElementById('wipe').dispatchEvent(new Event('input'))"
    )
    assert page.run("document.getElementById('after').style.clipPath") == "inset(0px 0px 0px 50%)"


def test_everything_is_reached_by_keyboard(opened):
    page = opened
    page.press("b")
    page.press("ArrowRight")
    page.press("Enter")
    page.until(f"{SAID}.startsWith('1 stroke.')")
    page.run("document.getElementById('boards').open = true; document.querySelector('#board button').focus()")
    for key in ("ArrowRight", "ArrowDown", "+"):
        page.press(key)
    page.until(f"{STEPS}.at(-1) === '1 tiles'")
    page.press("?")
    page.until("document.getElementById('dialog').open")
    page.run("document.getElementById('dialog').close()")
    unnamed = page.run(
        "[...document.querySelectorAll('button, input:not([hidden]), select, textarea')].filter(one =>"
        " !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length)).map(one => one.outerHTML)"
    )
    assert unnamed == []


def test_a_server_that_ends_is_told_and_takes_no_history(opened, server):
    page = opened
    slide(page, 1)
    page.until(f"{CURRENT} === 2")
    server.stop()
    slide(page, 2)
    page.until("!document.getElementById('banner').hidden")
    assert "Nothing is lost" in page.run("document.getElementById('banner').textContent")
    assert len(page.run(STEPS)) == 4
    server.start(app(server.port))  # it knows the photo no more
    page.until(f"document.getElementById('banner').hidden && /^Smiling \\d+ → \\d+ %/.test({SAID})")
    assert page.run(CURRENT) == 3


def test_a_session_file_opens_again_and_the_browser_offers_earlier_steps(opened):
    page = opened
    slide(page, 1.2)
    page.until(f"/^Smiling/.test({SAID})")
    page.run("document.getElementById('session').click()")
    session = page.downloads / "a.png.session.json"
    wait(session.exists, "nothing was downloaded")
    assert json.loads(session.read_text())["history"]["at"] == 2
    page.command("Page.reload")
    page.until("document.querySelectorAll('.slider').length === 4")
    page.choose("#file", session)
    page.until(f"{CURRENT} === 2 && /^Smiling/.test({SAID})")
    photo = session.with_name("again.png")
    Image.fromarray(photographs.pixels()).save(photo)
    page.choose("#file", photo)
    page.until("document.querySelector('#facts button')?.textContent === 'Restore the 2 earlier steps of this photo'")
    page.run("document.querySelector('#facts button').click()")
    page.until(f"{CURRENT} === 2 && /^Smiling/.test({SAID})")
    session.unlink()


def test_the_page_fits_a_phone(opened):
    page = opened
    page.command("Emulation.setDeviceMetricsOverride", width=375, height=740, deviceScaleFactor=2, mobile=True)
    page.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.run("document.documentElement.scrollWidth") == 375
    page.command("Emulation.clearDeviceMetricsOverride")


def test_exclusive_attributes_and_undo_without_limit(page, opened):
    changed = page.run(
        "import('./page/spec.js').then(spec => [spec.changed('Black_Hair=on, Smiling=-1', 'Blond_Hair', 'on',"
        " ['Black_Hair']), spec.changed('Smiling=+1', 'Smiling', 0, []), spec.text(spec.parse('A=ON,B=1.50'))])"
    )
    assert changed == ["Smiling=-1, Blond_Hair=on", "", "A=on, B=+1.5"]
    found = page.run(
        "import('./page/history.js').then(({ History, FIRST }) => { const h = new History('a');"
        " for (let n = 0; n < 5000; n += 1) h.push({ ...FIRST, spec: `A=+${n}` }, `${n}`);"
        " for (let n = 0; n < 4999; n += 1) h.undo(); const far = h.state.spec;"
        " h.push({ ...FIRST, spec: 'B=on' }, 'B'); h.undo(); h.redo();"
        " return [far, h.steps.length, h.state.spec, h.push(h.state, 'the same'), h.canRedo]; })"
    )
    assert found == ["A=+0", 3, "B=on", False, False]


def test_a_history_is_kept_without_repeating_its_strokes(page, opened):
    again, size, refused = page.run(
        "import('./page/history.js').then(({ History, FIRST }) => { const h = new History('a'); const own = [];"
        " for (let n = 0; n < 300; n += 1) { own.push({ x: n / 300, y: 0.5 });"
        " h.push({ ...FIRST, strokes: { 1: [...own] } }, `${n}`); }"
        " h.push({ ...FIRST, strokes: { 1: own.slice(0, 2), 0: [{ stack: true }] } }, 'less', 'b'); h.undo();"
        " const text = JSON.stringify(h), back = History.of(JSON.parse(text)); let refused = '';"
        " try { History.of({ steps: [{ state: 7 }] }); } catch (error) { refused = error.message; }"
        " return [JSON.stringify([back.steps, back.at]) === JSON.stringify([h.steps, h.at]), text.length, refused]; })"
    )
    assert again
    assert size < 100_000
    assert refused.startswith("this session holds no history")


def test_another_system_is_a_step_that_undo_takes_back(opened):
    page = opened
    slide(page, 1)
    page.until(f"{CURRENT} === 2")
    page.run(
        "(() => { const menu = document.getElementById('system'); menu.value = 'other';"
        " menu.dispatchEvent(new Event('change')); })()"
    )
    page.until(f"{CURRENT} === 3 && /^Smiling/.test({SAID})")
    assert page.run(STEPS)[-1] == "System other"
    page.until("document.getElementById('command').value.includes('--system other')")
    page.press("z", 2)
    page.until("document.getElementById('system').value === 'linear'")
    page.until("document.getElementById('command').value.includes('--system linear')")
    page.run("document.getElementById('side').click()")
    page.until("document.querySelectorAll('#dialog_body img').length === 2")
    assert "other; Smiling" in page.run("document.getElementById('dialog_body').textContent")
    page.run("document.getElementById('dialog').close()")
