// Histories that outlive the page: in the browser's own storage by the photo's digest, and in session files.

import { download } from "./api.js";
import { History } from "./history.js";

const MOST = 40; // photos whose histories are kept
const PREFIX = "facet-studio:";

export function keep(photo, history) {
  try {
    if (history.steps.length < 2) return;
    localStorage.setItem(PREFIX + photo.sha256, JSON.stringify({ when: Date.now(), history }));
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
    if (keys.length <= MOST) return;
    const when = (key) => JSON.parse(localStorage.getItem(key)).when;
    keys.sort((a, b) => when(a) - when(b)).slice(0, keys.length - MOST).forEach((key) => localStorage.removeItem(key));
  } catch {
    // no storage, or a full one: the page itself still has the history
  }
}

export function kept(photo) {
  try {
    const found = JSON.parse(localStorage.getItem(PREFIX + photo.sha256));
    return found && History.of(found.history);
  } catch {
    return null;
  }
}

// A session file holds the photo, too, unless there is no reaching it.
export async function save(photo, history, data) {
  const session = {
    facet_studio: 1, history,
    photo: { name: photo.name, sha256: photo.sha256, data: data ? await base64(data) : null },
  };
  download(new Blob([JSON.stringify(session)], { type: "application/json" }), `${photo.name}.session.json`);
}

// The parts of a session file; throws an Error that says what is wrong.
export async function read(file) {
  let session;
  try {
    session = JSON.parse(await file.text());
  } catch {
    throw new Error(`${file.name} is no session of the studio; choose one that it saved`);
  }
  if (session?.facet_studio !== 1 || typeof session.photo?.name !== "string") {
    throw new Error(`${file.name} is no session of the studio; choose one that it saved`);
  }
  const data = session.photo.data ? new Blob([Uint8Array.from(atob(session.photo.data), (letter) => letter.charCodeAt(0))]) : null;
  return { name: session.photo.name, sha256: session.photo.sha256, data, history: History.of(session.history) };
}

const base64 = (data) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.onerror = () => failed(reader.error);
  reader.readAsDataURL(data);
});
