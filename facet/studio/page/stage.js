// The photo: before and after, wipe, zoom, its faces, and the brush on it.

import { find, make, svg } from "./dom.js";

let photo = null, faces = [], active = 0, zoom = 0, wipe = 0, tool = "look", cursor = null, on = {}, painting = null;

// `events`: face(number), stroke(touches, done), colour(text), zoomed(share of screen pixels)
export function listen(events) {
  on = events;
  const overlay = find("overlay");
  overlay.addEventListener("pointerdown", down);
  overlay.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel"]) overlay.addEventListener(end, up);
  overlay.addEventListener("pointerleave", () => { if (!painting) { cursor = null; drawTip(); } });
  overlay.addEventListener("keydown", key);
  find("wipe").addEventListener("input", () => { wipe = Number(find("wipe").value) / 100; drawWipe(); });
  find("fit").addEventListener("click", () => setZoom(0));
  find("near").addEventListener("click", near);
  find("pixels").addEventListener("click", () => setZoom(1 / devicePixelRatio));
  find("larger").addEventListener("click", () => setZoom(scale() * 1.5));
  find("smaller").addEventListener("click", () => setZoom(scale() / 1.5));
  find("viewport").addEventListener("wheel", (event) => {
    if (!event.ctrlKey || !photo) return;
    event.preventDefault();
    setZoom(scale() * (event.deltaY < 0 ? 1.2 : 1 / 1.2));
  }, { passive: false });
  new ResizeObserver(layOut).observe(find("viewport"));
}

export function open(described, before) {
  photo = described;
  faces = [];
  active = zoom = 0;
  cursor = null;
  find("welcome").hidden = true;
  find("paper").hidden = false;
  find("before").src = find("after").src = before;
  find("overlay").setAttribute("viewBox", `0 0 ${photo.size[0]} ${photo.size[1]}`);
  setWipe(0);
  layOut();
  showFaces([], 0);
}

export const showAfter = (address) => { find("after").src = address; };
export const showBefore = (address) => { find("before").src = address; };

export function setTool(name) {
  tool = name;
  const overlay = find("overlay");
  overlay.classList.toggle("painting", tool !== "look");
  overlay.classList.toggle("quiet", tool !== "look");
  drawTip();
}

export function setWipe(share) {
  wipe = share;
  find("wipe").value = 100 * share;
  drawWipe();
}

function drawWipe() {
  find("after").style.clipPath = wipe ? `inset(0 0 0 ${100 * wipe}%)` : "none";
  find("overlay").querySelector("line.wipe")?.remove();
  if (!photo || !wipe || wipe === 1) return;
  const x = wipe * photo.size[0];
  find("overlay").append(svg("line", { class: "wipe", x1: x, x2: x, y1: 0, y2: photo.size[1] }));
}

// CSS pixels for one of the photo: `zoom`, or what fits.
function scale() {
  if (zoom || !photo) return zoom || 1;
  const view = find("viewport");
  return Math.min((view.clientWidth - 2) / photo.size[0], (view.clientHeight - 2) / photo.size[1], 8 / devicePixelRatio * 2);
}

function setZoom(value) {
  if (!photo) return;
  zoom = value && Math.min(Math.max(value, 0.02), 16);
  layOut();
}

// The active face as large as the view, with its surroundings.
function near() {
  const face = faces[active];
  if (!face) return;
  const view = find("viewport"), points = corners(face);
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const [width, height] = [Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)];
  setZoom(0.8 * Math.min(view.clientWidth / width, view.clientHeight / height));
  const size = scale();
  view.scrollTo(size * (Math.min(...xs) + width / 2) - view.clientWidth / 2, size * (Math.min(...ys) + height / 2) - view.clientHeight / 2);
}

export function layOut() {
  if (!photo) return;
  const paper = find("paper"), size = scale();
  paper.style.width = `${size * photo.size[0]}px`;
  paper.style.height = `${size * photo.size[1]}px`;
  paper.classList.toggle("pixels", size * devicePixelRatio >= 3);
  on.zoomed?.((size * devicePixelRatio * photo.size[0]) / photo.screen[0]);
}

export function showFaces(found, number) {
  faces = found;
  active = number;
  const polygons = found.map((face, i) => {
    const shape = svg("polygon", {
      class: `face${face.chosen ? " chosen" : ""}`, tabindex: found.length > 1 ? 0 : -1, role: "button",
      points: corners(face).map((point) => point.join(",")).join(" "),
      "aria-label": `Face ${i + 1}${face.refused ? `, cannot be edited: ${face.refused}` : face.chosen ? ", edited" : ""}`,
    });
    shape.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); on.face(i); }
    });
    return shape;
  });
  find("overlay").classList.toggle("still", found.length < 2);
  for (const old of find("overlay").querySelectorAll("polygon.face")) old.remove();
  find("overlay").prepend(...polygons);
  drawTip();
}

function corners(face) {
  const [left, top, right, bottom] = face.box;
  return face.crop ?? [[left, top], [right, top], [right, bottom], [left, bottom]];
}

function point(event) {
  const box = find("overlay").getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * photo.size[0], ((event.clientY - box.top) / box.height) * photo.size[1]];
}

// A point of the photo in shares of the active face's crop, and back.
function toCrop([x, y]) {
  const crop = faces[active]?.crop;
  if (!crop) return null;
  const [a, b, , d] = crop;
  const [ux, uy, vx, vy] = [b[0] - a[0], b[1] - a[1], d[0] - a[0], d[1] - a[1]];
  const det = ux * vy - uy * vx;
  const [px, py] = [x - a[0], y - a[1]];
  return [(px * vy - py * vx) / det, (ux * py - uy * px) / det];
}

function toPhoto([u, v]) {
  const [a, b, , d] = faces[active].crop;
  return [a[0] + u * (b[0] - a[0]) + v * (d[0] - a[0]), a[1] + u * (b[1] - a[1]) + v * (d[1] - a[1])];
}

const side = () => Number(find("size").value) / 100;

export function drawTip() {
  for (const old of find("overlay").querySelectorAll("polygon.tip")) old.remove();
  if (tool !== "brush" || !cursor || !faces[active]?.crop) return;
  const [u, v] = cursor, half = side() / 2;
  const points = [[-half, -half], [half, -half], [half, half], [-half, half]]
    .map(([x, y]) => toPhoto([u + x, v + y]).join(",")).join(" ");
  find("overlay").append(svg("polygon", { class: "tip dark", points }), svg("polygon", { class: "tip", points }));
}

const inside = (at) => at && at.every((share) => share >= 0 && share <= 1);
const touch = ([x, y]) => ({ x: Math.round(x * 1e4) / 1e4, y: Math.round(y * 1e4) / 1e4, size: side() });

function down(event) {
  if (!photo || event.button) return;
  if (tool === "look") {
    const number = faces.findIndex((face) => within(point(event), corners(face)));
    if (number >= 0 && faces.length > 1) on.face(number);
    return;
  }
  if (tool === "pick") { pick(point(event)); return; }
  const hit = faces.findIndex((face) => face.crop && within(point(event), face.crop));
  if (hit >= 0 && hit !== active && !inside(toCrop(point(event)))) { on.face(hit); return; }
  cursor = toCrop(point(event));
  if (!inside(cursor)) { on.outside(); return; }
  find("overlay").setPointerCapture(event.pointerId);
  painting = [touch(cursor)];
  on.stroke(painting, false);
  drawTip();
}

function move(event) {
  if (!photo || tool !== "brush") return;
  cursor = toCrop(point(event));
  drawTip();
  if (!painting || !inside(cursor)) return;
  const last = painting[painting.length - 1], apart = Math.hypot(cursor[0] - last.x, cursor[1] - last.y);
  const count = Math.min(Math.floor(apart / (side() / 3)), 60); // a quick hand leaves no gaps
  for (let i = 1; i <= count; i += 1) {
    painting.push(touch([last.x + ((cursor[0] - last.x) * i) / count, last.y + ((cursor[1] - last.y) * i) / count]));
  }
  if (count) on.stroke(painting, false);
}

function up() {
  if (!painting) return;
  on.stroke(painting, true);
  painting = null;
}

function key(event) {
  if (tool !== "brush" || !faces[active]?.crop || event.target !== find("overlay")) return;
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  cursor ??= [0.5, 0.5];
  if (step) cursor = cursor.map((share, i) => Math.min(Math.max(share + step[i] * (event.shiftKey ? 0.1 : 0.02), 0), 1));
  else if (event.key === "Enter" || event.key === " ") on.stroke([touch(cursor)], true);
  else return;
  event.preventDefault();
  drawTip();
}

function within([x, y], polygon) {
  return polygon.reduce((odd, [ax, ay], i) => {
    const [bx, by] = polygon[(i + 1) % polygon.length];
    return (ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax ? !odd : odd;
  }, false);
}

// The colour of the picture that is shown at a point of the photo.
function pick([x, y]) {
  const source = x / photo.size[0] < wipe ? find("before") : find("after");
  const canvas = make("canvas", { width: 1, height: 1 });
  const pen = canvas.getContext("2d");
  const [fx, fy] = [source.naturalWidth / photo.size[0], source.naturalHeight / photo.size[1]];
  pen.drawImage(source, Math.floor(x * fx), Math.floor(y * fy), 1, 1, 0, 0, 1, 1);
  const levels = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  on.colour(`#${levels.map((level) => level.toString(16).padStart(2, "0")).join("")}`);
}
