// The page's controls: each makes a new state.

import * as api from "./api.js";
import { amend, change, failed, go, load, page, render, state, task, wish } from "./app.js";
import * as board from "./board.js";
import { find, make, say, words } from "./dom.js";
import * as folder from "./folder.js";
import { FIRST } from "./history.js";
import * as keys from "./keys.js";
import { choose, openFile, openFromFolder, sampled } from "./opening.js";
import * as panels from "./panels.js";
import * as sliders from "./sliders.js";
import * as spec from "./spec.js";
import * as stage from "./stage.js";
import * as taking from "./taking.js";

const HOLD = 20, REACH = 0.75; // of paint until it shows, as measured for the report

function slide(name, value, excludes, done) {
  const next = spec.changed(page.history.state.spec, name, value, excludes);
  const told = value === null || value === 0 ? `${words(name)} as it was` : `${words(name)} ${typeof value === "number" ? spec.signed(value) : value}`;
  amend({ spec: next }, told, done);
}

function paint(touches, name, done) {
  const own = page.history.state;
  amend({ strokes: { ...own.strokes, [own.face]: [...(own.strokes[own.face] ?? []), ...touches] } }, name, done);
}

const tiles = (entries, done) => paint([{ latent: entries }], `${Object.keys(entries).length} tiles`, done);

function brushed(touches, done) {
  const kind = document.querySelector("input[name=kind]:checked").value, steps = Number(find("steps").value);
  const how = kind !== "paint" ? { lighten: kind === "lighten" ? 1 : -1, steps }
    : find("until").checked ? { colour: find("colour").value, reach: REACH, hold: HOLD } : { colour: find("colour").value, steps };
  paint(touches.map((touch) => ({ ...touch, ...how })), kind === "paint" ? `Paint ${find("colour").value}` : kind === "lighten" ? "Lighten" : "Darken", done);
}

function chooseFace(number) {
  amend({ face: number, faces: state().faces === "all" ? "all" : number }, `Face ${number + 1}`);
}

function listenToControls() {
  for (const name of ["clip", "unless_already", "off_frontal", "unlike_training", "aligned"]) {
    find(name).addEventListener("change", () => amend({ [name]: find(name).checked, ...(name === "aligned" ? { face: 0, faces: "largest" } : {}) }, words(name)));
  }
  for (const [name, title] of [["sure", "Sure from"], ["refine", "Fit to photo"]]) {
    const set = (done) => () => amend({ [name]: Number(find(name).value) }, `${title} ${find(name).value}`, done);
    find(name).addEventListener("input", set(false));
    find(name).addEventListener("change", set(true));
  }
  find("mode").addEventListener("change", () => amend({ mode: find("mode").value }, `Blending ${find("mode").value}`));
  find("mask").addEventListener("change", () => amend({ mode: find("mask").checked ? "ian" : "decode" }, find("mask").checked ? "Mask on" : "Mask off"));
  find("faces").addEventListener("change", () => {
    const { value } = find("faces");
    if (value === "largest" || value === "all") amend({ faces: value, face: 0 }, `Faces: ${value}`);
    else chooseFace(Number(value));
  });
  find("spec").addEventListener("change", () => amend({ spec: find("spec").value.trim() }, find("spec").value.trim() || "No attributes"));
  for (const [name, shownAs] of [["size", (v) => `${v} %`], ["steps", (v) => v]]) {
    const show = () => { find(`${name}_shown`).textContent = shownAs(find(name).value); stage.drawTip(); };
    find(name).addEventListener("input", show);
    show();
  }
  find("filter").addEventListener("input", sliders.filter);
  find("system").addEventListener("change", async () => {
    try { await choose(find("system").value); } catch (error) { failed(error); }
  });
  for (const input of document.querySelectorAll("input[name=tool]")) input.addEventListener("change", () => keys.tool(input.value));
  find("six").addEventListener("toggle", render);
  find("infer").addEventListener("click", () => paint([{ stack: true }], "Infer again"));
  find("unpaint").addEventListener("click", () => {
    const { [page.history.state.face]: _, ...others } = page.history.state.strokes;
    amend({ strokes: others }, "No paint");
  });
}

function listenToHistory() {
  find("undo").addEventListener("click", () => go(page.history.at - 1));
  find("redo").addEventListener("click", () => go(page.history.at + 1));
  find("reset").addEventListener("click", () => change({ ...FIRST, aligned: state().aligned }, "Reset"));
  find("naming").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = find("step_name").value.trim();
    if (!name || !page.photo) return;
    page.history.rename(name);
    find("step_name").value = "";
    go(page.history.at);
  });
  task(find("replay"), async () => {
    const last = page.history.at;
    for (let at = 0; at <= last; at += 1) {
      go(at);
      await new Promise((done) => { setTimeout(done, 700); });
    }
  });
}

async function begin() {
  stage.listen({ face: chooseFace, stroke: brushed, zoomed: taking.zoomed, outside: () => say("The brush paints on a face: within its frame."),
    colour: (value) => { find("colour").value = value; keys.tool("brush"); say(`The brush paints ${value}.`); } });
  board.listen();
  listenToControls();
  taking.listen();
  keys.listen();
  listenToHistory();
  panels.show(null);
  find("open").addEventListener("click", () => find("file").click());
  find("file").addEventListener("change", () => { openFile(find("file").files[0]); find("file").value = ""; });
  find("keys").addEventListener("click", keys.help);
  page.loaded.push((system) => { sliders.build(system, slide); board.build(system, tiles); });
  page.shownTo.push(taking.take);
  try {
    const status = await api.get("api/status");
    page.status = status;
    find("system").replaceChildren(...status.systems.map((name) => make("option", { value: name, textContent: name })));
    find("side").hidden = status.systems.length < 2;
    find("mode").replaceChildren(...status.modes.map((name) => make("option", { value: name, textContent: name })));
    find("test").hidden = !status.tests;
    await load(status.systems[0]);
    say("");
    task(find("sample"), sampled("prior"));
    task(find("test"), sampled("test"));
    folder.build(status, { open: openFromFolder, wish, failed });
    if (status.folder) await openFromFolder(0);
    else if (status.sample) await sampled("prior")();
  } catch (error) { failed(error); }
}

begin();
