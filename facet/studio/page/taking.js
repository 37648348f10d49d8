// What one takes away: the photo, the spec and its command, strokes, before and after, a session. And the full size.

import * as api from "./api.js";
import { failed, page, state, task, wish } from "./app.js";
import { find, say } from "./dom.js";
import { FIRST } from "./history.js";
import * as keeping from "./keeping.js";
import * as panels from "./panels.js";
import * as stage from "./stage.js";

let taking = 0;
export function take() {
  clearTimeout(taking);
  taking = setTimeout(async () => {
    if (page.draft || !page.photo) return;
    try {
      page.taken = await api.post(`api/photos/${page.photo.id}/taken`, wish());
    } catch { return; } // the preview has said it
    find("command").value = page.taken.spec ? page.taken.command : "";
    find("brush_command").hidden = !page.taken.brush;
    find("brush_command").textContent = `The strokes, on a photo framed as for training: ${page.taken.brush}`;
    find("landmarks").hidden = !page.taken.landmarks;
    find("strokes").disabled = !(state().strokes[state().face] ?? []).length;
    find("copy_command").disabled = !page.taken.spec;
  }, 250);
}

const text = (value, type = "text/plain") => new Blob([value], { type });

async function save() {
  say("Saving at full size …");
  const made = await api.saved(`api/photos/${page.photo.id}/save`, wish());
  api.download(made.data, made.name);
  const why = made.status === "edited" ? made.notes.join("; ") : `${made.status}: ${made.reason}. The file is the photo as it was`;
  say(`${made.name} saved, ${(made.data.size / 1e6).toFixed(1)} MB${why ? ` (${why})` : ""}.`, made.status === "failed" || made.status === "skipped");
}

export function listen() {
  task(find("save"), save);
  task(find("both"), async () => api.download(await api.blob(`api/photos/${page.photo.id}/both`, wish()), `${page.photo.name}.both.png`));
  task(find("copy_command"), async () => { await navigator.clipboard.writeText(find("command").value); say("The command is copied."); });
  task(find("session"), async () => keeping.save(page.photo, page.history, page.data));
  find("strokes").addEventListener("click", () => api.download(text(page.taken.strokes[state().face], "application/json"), "strokes.json"));
  find("landmarks").addEventListener("click", () => api.download(text(page.taken.landmarks, "text/csv"), "landmarks.csv"));
  task(find("side"), () => panels.sideBySide(page.photo, page.status.systems, state()));
}

// The photo's own pixels, once it is shown larger than the screen's copy.
let zooming = 0;
export function zoomed(share) {
  clearTimeout(zooming);
  if (!page.photo || share <= 1.05 || page.photo.size[0] <= page.photo.screen[0]) return;
  zooming = setTimeout(async () => {
    if (page.draft || page.full) return;
    page.full = 1;
    const { id } = page.photo, own = state(), plain = { ...FIRST, aligned: own.aligned };
    try {
      const after = await api.blob(`api/photos/${id}/full`, wish(own));
      if (id !== page.photo.id || own !== state()) return;
      stage.showAfter(fresh("after", after));
      stage.showBefore(fresh("before", await api.blob(`api/photos/${id}/full`, wish(plain))));
    } catch (error) { failed(error); }
  }, 350);
}

const addresses = {};
function fresh(name, data) {
  if (addresses[name]) URL.revokeObjectURL(addresses[name]);
  addresses[name] = URL.createObjectURL(data);
  return addresses[name];
}
