// The heart of the page: the photo, the history of states, the picture of the one that is shown, and what goes wrong.

import * as api from "./api.js";
import * as board from "./board.js";
import { find, make, say, words } from "./dom.js";
import { FIRST, History } from "./history.js";
import * as keeping from "./keeping.js";
import * as panels from "./panels.js";
import * as sliders from "./sliders.js";
import * as spec from "./spec.js";
import * as stage from "./stage.js";
import { Viewer } from "./viewer.js";

// `loaded` and `shownTo` are called with every new system and every new picture.
export const page = { status: null, system: null, photo: null, data: null, history: new History(""), draft: null, full: 0, loaded: [], shownTo: [] };
const viewer = new Viewer(shown, failed);

export const state = () => page.draft ?? page.history.state;
export const wish = (own = state()) => ({ system: page.system?.name, state: own });

// A new state: a draft while a control moves, and a step of the history once it is let go.
export function change(next, name, done = true) {
  if (!page.photo) return;
  page.draft = done ? null : next;
  if (done && page.history.push(next, name)) keeping.keep(page.photo, page.history);
  render();
}

export const amend = (fields, name, done) => change({ ...page.history.state, ...fields }, name, done);

export function render() {
  if (!page.photo) return;
  controls();
  page.full = 0;
  viewer.ask(page.photo.id, { ...wish(), panels: find("six").open });
}

function controls() {
  const now = state();
  sliders.show(now.spec);
  if (document.activeElement !== find("spec")) find("spec").value = now.spec;
  for (const name of ["clip", "unless_already", "off_frontal", "unlike_training", "aligned"]) find(name).checked = now[name];
  find("mode").value = now.mode;
  find("mask").checked = now.mode !== "decode";
  for (const name of ["sure", "refine"]) {
    find(name).value = now[name];
    find(`${name}_shown`).textContent = name === "sure" ? now[name].toFixed(2) : `${now[name]} steps`;
  }
  const { history } = page;
  find("undo").disabled = !history.canUndo;
  find("redo").disabled = !history.canRedo;
  find("reset").disabled = JSON.stringify(history.state) === JSON.stringify({ ...FIRST, aligned: history.state.aligned });
  find("save").disabled = false;
  find("infer").disabled = find("unpaint").disabled = !(now.strokes[now.face] ?? []).length;
  steps();
}

let listed = {}; // the history that the list shows
function steps() {
  const { steps: all, at } = page.history;
  if (listed.all === all && listed.at === at) return;
  listed = { all, at };
  find("steps_list").replaceChildren(...page.history.steps.map((step, i) => {
    const button = make("button", { type: "button", textContent: step.name, className: i > page.history.at ? "later" : "" });
    if (i === page.history.at) button.setAttribute("aria-current", "step");
    button.addEventListener("click", () => go(i));
    return make("li", {}, button);
  }));
  const list = find("steps_list"), current = list.querySelector("[aria-current]");
  if (current) list.scrollTop = current.offsetTop - list.offsetTop - list.clientHeight / 2; // the list alone, not the page
}

// Shows another step of the history, by the system that it was made with.
export async function go(at) {
  page.draft = null;
  page.history.go(at);
  keeping.keep(page.photo, page.history);
  const { system } = page.history.step;
  try {
    if (system !== page.system.name && page.status.systems.includes(system)) await load(system);
    render();
  } catch (error) { failed(error); }
}

// Makes a system the one that edits.
export async function load(name) {
  say(`Loading ${name} …`);
  page.system = await api.get(`api/systems/${encodeURIComponent(name)}`);
  find("system").value = name;
  for (const listener of page.loaded) listener(page.system);
}

function shown(preview, photo, request) {
  if (photo !== page.photo?.id) return;
  banner(null);
  stage.showAfter(preview.image);
  stage.showFaces(preview.faces, request.state.face);
  sliders.showSeen(preview.looked, request.state.spec);
  board.show(preview.looked);
  panels.show(preview.looked?.panels);
  facesMenu(preview.faces, request.state.faces);
  const face = preview.faces[request.state.face];
  if (preview.refused) say(`${preview.refused}. Nothing can be edited here.`, true);
  else if (face?.refused) say(`This face cannot be edited: ${face.refused}.`, true);
  else say(outcome(preview, request.state));
  stage.layOut();
  for (const listener of page.shownTo) listener();
}

function outcome(preview, own) {
  const seen = preview.looked?.attributes ?? {};
  const asked = [...spec.parse(own.spec).keys()].filter((name) => seen[name]);
  const parts = asked.map((name) => `${words(name)} ${Math.round(100 * seen[name].before)} → ${Math.round(100 * seen[name].after)} %`);
  const count = (own.strokes[own.face] ?? []).length;
  if (count) parts.push(`${count} stroke${count > 1 ? "s" : ""}`);
  if (!parts.length) return preview.faces.length > 1 ? `${preview.faces.length} faces: click the one to edit.` : "Move a slider, or paint.";
  const far = asked.length && preview.looked.moved && !preview.looked.reached && /=(on|off)/i.test(own.spec);
  return `${parts.join("; ")}.${far ? " That is as far as it goes: the judge is not sure." : ""} ${Math.round(preview.milliseconds)} ms`;
}

function facesMenu(faces, chosen) {
  const choices = [["largest", "the largest"], ["all", `all ${faces.length}`], ...faces.map((face, i) => [String(i), `face ${i + 1}${face.refused ? " (cannot be edited)" : ""}`])];
  find("faces").replaceChildren(...choices.map(([value, textContent]) => make("option", { value, textContent })));
  find("faces").value = String(chosen);
}

export function failed(error) {
  if (error instanceof api.Gone) { banner("gone"); retry(); }
  else if (error instanceof api.Stranger) banner("stranger");
  else if (/not open any more/.test(error.message) && page.data && !page.photo.sample) reopen();
  else say(error.message, true);
}

// The server has forgotten the photo, but the page has not.
async function reopen() {
  try {
    page.photo = { ...page.photo, ...(await api.upload(page.photo.name, page.data)) };
    render();
  } catch (error) { say(error.message, true); }
}

function banner(kind) {
  const text = {
    gone: "The studio does not answer. Nothing is lost: the history is in this page, which goes on by itself when the studio is back.",
    stranger: "The studio was started anew. Save the session, open the address that the terminal shows, and open the session there.",
  }[kind];
  find("banner").hidden = !text;
  if (!text) return;
  const button = make("button", { type: "button", textContent: "Save session" });
  button.addEventListener("click", () => page.photo && keeping.save(page.photo, page.history, page.data));
  find("banner").replaceChildren(make("span", { textContent: text }), button);
}

let retrying = false;
async function retry() {
  if (retrying) return;
  retrying = true;
  for (;;) {
    await new Promise((done) => { setTimeout(done, 1500); });
    try {
      await api.get("api/status");
      break;
    } catch (error) {
      if (error instanceof api.Stranger) { retrying = false; banner("stranger"); return; }
    }
  }
  retrying = false;
  banner(null);
  render();
}

// Runs what a button asks for; while it runs the button waits, and what goes wrong is said.
export const task = (button, work) => button.addEventListener("click", async () => {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) { failed(error); }
  button.removeAttribute("aria-busy");
  button.disabled = false;
});
