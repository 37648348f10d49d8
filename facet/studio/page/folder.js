// The strip of thumbnails of a folder, with what a job said of each photo, and one spec tried over many.

import * as api from "./api.js";
import { find, make, showDialog } from "./dom.js";

let count = 0, on = {}, most = 20;

// `events`: open(number), wish() -> the request for a state, failed(error)
export function build(status, events) {
  count = status.folder?.count ?? 0;
  on = events;
  most = status.most.compared;
  find("folder").hidden = count < 2;
  if (count < 2) return;
  find("compare").textContent = `Try this edit on ${count > most ? `${most} of ${count}` : `all ${count}`}`;
  find("compare").addEventListener("click", compare);
  find("unedited").parentElement.hidden = !status.folder.unedited;
  find("unedited").addEventListener("change", () => { find("strip").replaceChildren(); more(); });
  more();
}

// The next photos of the strip, and a button for more if there may be any.
async function more() {
  const strip = find("strip");
  strip.querySelector(".more")?.remove();
  try {
    const items = await api.get(`api/folder?start=${strip.children.length}&unedited=${find("unedited").checked}`);
    strip.append(...items.map(cell));
    if (!items.length || strip.children.length >= count) return;
    const button = make("button", { type: "button", textContent: "More" });
    button.addEventListener("click", more);
    strip.append(make("li", { className: "more" }, button));
  } catch (error) { on.failed(error); }
}

function cell(item) {
  const { number } = item;
  const picture = make("img", { loading: "lazy", alt: `Open ${item.name}`, src: `api/folder/${number}/thumbnail` });
  const open = make("button", { type: "button", className: "open" }, picture);
  const why = make("p", { className: item.status === "edited" ? "fine" : "why" });
  why.textContent = item.status ? `${item.status}${item.reason ? `: ${item.reason}` : ""}` : "";
  const again = make("button", { type: "button", className: "try", textContent: "Try edit", "aria-label": `Try edit on ${item.name}` });
  open.dataset.number = number;
  const own = make("li", {}, open, make("p", { className: "name", textContent: item.name }), why, again);
  open.addEventListener("click", () => on.open(number));
  picture.addEventListener("error", async () => {
    picture.hidden = true;
    open.append(make("span", { className: "none", textContent: `${item.name} cannot be read` }));
    if (!item.status) await api.get(picture.src).catch((error) => { tell(why, { status: "failed", reason: error.message }); });
  });
  again.addEventListener("click", async () => { tell(why, await tried(number)); });
  return own;
}

function tell(line, outcome) {
  line.className = outcome.status === "edited" || outcome.status === "unchanged" ? "fine" : "why";
  line.textContent = `${outcome.status}${outcome.reason ? `: ${outcome.reason}` : ""}`;
}

async function tried(number) {
  try {
    return await api.post(`api/folder/${number}/try`, on.wish());
  } catch (error) {
    on.failed(error);
    return { status: "failed", reason: error.message, image: "" };
  }
}

export function current(number) {
  for (const open of find("strip").querySelectorAll(".open")) open.setAttribute("aria-current", String(Number(open.dataset.number) === number));
}

// Photos spread evenly over the folder, one after the other, until the dialog is closed.
async function compare() {
  const grid = make("div", { className: "grid" });
  const title = make("p", { className: "small", role: "status" });
  showDialog("One edit over the folder", title, grid);
  const step = Math.max(count / most, 1), total = Math.min(count, most);
  const counts = {};
  for (let i = 0; i < total && find("dialog").open; i += 1) {
    const number = Math.floor(i * step), outcome = await tried(number);
    counts[outcome.status] = (counts[outcome.status] ?? 0) + 1;
    title.textContent = `${i + 1} of ${total}: ${Object.entries(counts).map(([status, count]) => `${count} ${status}`).join(", ")}`;
    const caption = make("figcaption", { textContent: `${outcome.name ?? `photo ${number + 1}`}: ${outcome.status}${outcome.reason ? `, ${outcome.reason}` : ""}` });
    const picture = outcome.image ? [make("img", { src: outcome.image, alt: `${outcome.name} after the edit` })] : [];
    grid.append(make("figure", {}, ...picture, caption));
  }
}
