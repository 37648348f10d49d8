// The latent as a board of red and blue tiles that can be painted, in standard deviations of training latents.

import { find, make } from "./dom.js";

let tiles = [], spread = [], latent = [], start = [], set = new Map(), columns = 10, change = () => {};

const value = () => Number(find("value").value);

// `changed(entries, done)`: tiles are set to values, {place: value}; `done` if the pointer is let go.
export function build(system, changed) {
  change = changed;
  spread = system.spread.map((one) => Math.max(one, 1e-6));
  columns = Math.ceil(Math.sqrt(system.dims));
  const board = find("board");
  board.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
  tiles = spread.map((_, i) => make("button", { type: "button", role: "gridcell", tabIndex: i ? -1 : 0 }));
  const rows = [];
  for (let i = 0; i < tiles.length; i += columns) {
    const row = make("div", { role: "row" }, ...tiles.slice(i, i + columns));
    row.style.display = "contents";
    rows.push(row);
  }
  board.replaceChildren(...rows);
  tiles.forEach((tile, i) => tile.addEventListener("focus", () => told(i)));
}

export function show(looked) {
  latent = looked?.latent ?? [];
  start = looked?.from ?? [];
  tiles.forEach((tile, i) => draw(tile, i));
}

function draw(tile, i) {
  const z = (latent[i] ?? 0) / spread[i];
  const share = Math.min(Math.abs(z) / 2, 1);
  tile.style.backgroundColor = `rgba(var(${z < 0 ? "--blue" : "--red"}), ${share.toFixed(3)})`;
  tile.classList.toggle("set", latent.length > 0 && Math.abs(latent[i] - start[i]) > 0.02 * spread[i]);
  tile.setAttribute("aria-label", `Latent ${i + 1}: ${z.toFixed(1)}`);
}

function told(i) {
  if (latent.length) find("tile").textContent = `Tile ${i + 1}: ${(latent[i] / spread[i]).toFixed(2)}; the photo's own is ${(start[i] / spread[i]).toFixed(2)}`;
}

function put(i, z) {
  if (!latent.length || i < 0) return;
  set.set(i, Math.round(z * spread[i] * 10000) / 10000);
  latent[i] = set.get(i);
  draw(tiles[i], i);
  told(i);
}

const entries = () => Object.fromEntries([...set].map(([i, z]) => [String(i), z]));

function done() {
  if (set.size) change(entries(), true);
  set = new Map();
}

function under(event) {
  return tiles.indexOf(document.elementFromPoint(event.clientX, event.clientY)?.closest("#board button"));
}

export function listen() {
  const board = find("board");
  board.addEventListener("pointerdown", (event) => {
    board.setPointerCapture(event.pointerId);
    put(under(event), value());
    change(entries(), false);
  });
  board.addEventListener("pointermove", (event) => {
    if (!set.size) return;
    const i = under(event);
    if (i < 0 || set.has(i)) return;
    put(i, value());
    change(entries(), false);
  });
  for (const end of ["pointerup", "pointercancel"]) board.addEventListener(end, done);
  board.addEventListener("keydown", key);
  const shown = () => { find("value_shown").textContent = value().toFixed(1); };
  find("value").addEventListener("input", shown);
  shown();
}

function key(event) {
  const i = tiles.indexOf(event.target);
  if (i < 0) return;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (step !== undefined) {
    const next = tiles[Math.min(Math.max(i + step, 0), tiles.length - 1)];
    for (const tile of tiles) tile.tabIndex = tile === next ? 0 : -1;
    next.focus();
  } else if (event.key === "Enter" || event.key === " ") {
    put(i, value());
    done();
  } else if (event.key === "+" || event.key === "-") {
    put(i, (latent[i] ?? 0) / spread[i] + (event.key === "+" ? 0.25 : -0.25));
    done();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    put(i, (start[i] ?? 0) / spread[i]);
    done();
  } else return;
  event.preventDefault();
}
