// Opening photos, samples and sessions, and changing the system.

import * as api from "./api.js";
import { failed, go, load, page, render } from "./app.js";
import { find, make, say } from "./dom.js";
import * as folder from "./folder.js";
import { History } from "./history.js";
import * as keeping from "./keeping.js";
import * as spec from "./spec.js";
import * as stage from "./stage.js";

async function openData(name, data, history = null) {
  if (data.size > page.status.most.bytes) throw new api.Told(`${name} has ${Math.round(data.size / 1e6)} MB; ${Math.round(page.status.most.bytes / 1e6)} at most`);
  say(`Opening ${name} …`);
  await opened(await api.upload(name, data), data, history);
}

async function opened(photo, data = null, history = null) {
  const found = history ? null : keeping.kept(photo);
  page.photo = photo;
  page.data = data;
  page.draft = null;
  page.history = history ?? new History(page.system.name);
  find("facts").textContent = [photo.name, ...photo.facts, ...photo.notes].join(" · ");
  document.title = `${photo.name} – Facet studio`;
  stage.open(photo, `api/photos/${photo.id}/screen`);
  await go(page.history.at);
  if (found) offer(found);
  if (data) return;
  const original = await api.blob(`api/photos/${photo.id}/original`);
  if (page.photo === photo) page.data = original;
}

function offer(found) {
  const button = make("button", { type: "button", textContent: `Restore the ${found.steps.length - 1} earlier steps of this photo` });
  button.addEventListener("click", () => {
    page.history = found;
    button.remove();
    go(found.at);
  });
  find("facts").append(" ", button);
}

export async function openFile(file) {
  if (!file) return;
  try {
    if (!/\.json$/i.test(file.name)) { await openData(file.name, file); return; }
    const session = await keeping.read(file);
    if (session.data) await openData(session.name, session.data, session.history);
    else if (page.photo?.sha256 === session.sha256) { page.history = session.history; await go(page.history.at); }
    else throw new api.Told(`this session came without its photo: open ${session.name} first, then the session`);
  } catch (error) { failed(error); }
}

// Changes the system as a step of the history: attributes and tiles that it does not know are dropped.
export async function choose(name) {
  const dims = page.system.dims;
  await load(name);
  if (!page.photo) return;
  const known = new Set(page.system.attributes.map((attribute) => attribute.name)), now = page.history.state;
  const kept = new Map([...spec.parse(now.spec)].filter(([attribute]) => known.has(attribute)));
  const fits = (stroke) => !stroke.latent || page.system.dims === dims;
  const strokes = Object.fromEntries(Object.entries(now.strokes).map(([face, own]) => [face, own.filter(fits)]));
  page.history.push({ ...now, spec: spec.text(kept), strokes }, `System ${name}`, name);
  keeping.keep(page.photo, page.history);
  render();
}

export const sampled = (kind) => async () => opened(await api.post("api/samples", { system: page.system.name, kind, seed: Math.floor(Math.random() * 2 ** 31) }));

export async function openFromFolder(number) {
  try {
    await opened(await api.post(`api/folder/${number}/open`));
    folder.current(number);
  } catch (error) { failed(error); }
}
