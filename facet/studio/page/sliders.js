// One slider an attribute, in calibrated strengths: 1 is where 80 % of faces flip. And what else an edit moves.

import { find, make, percent, words } from "./dom.js";
import * as spec from "./spec.js";

const FARTHEST = 2; // strengths to either side
const SHOWN = 0.05; // change of a probability from which on something else moves
let rows = new Map();

// `change(name, value, excludes, done)`: an attribute is set to "on", "off", a number or null; `done` if it is let go.
export function build(system, change) {
  find("legend").textContent = `The marks on a slider are where 80 % of faces flip. The bar is what ${system.judge} sees; the line in it, before.`;
  rows = new Map(system.attributes.map((attribute) => [attribute.name, row(attribute, change)]));
  find("sliders").replaceChildren(...[...rows.values()].map((one) => one.element));
  filter();
}

function row(attribute, change) {
  const { name, excludes } = attribute;
  const range = make("input", {
    type: "range", min: -FARTHEST, max: FARTHEST, step: 0.05, value: 0, "aria-label": `${words(name)}, strength`,
  });
  const number = make("output", { textContent: "" });
  const states = ["off", "", "on"].map((value) => make("input", { type: "radio", name: `set_${name}`, value, checked: !value }));
  const choice = make("div", { className: "choice", role: "radiogroup", "aria-label": `${words(name)}, on or off` },
    ...states.map((input, i) => make("label", {}, input, make("span", { textContent: ["Off", "–", "On"][i] }))));
  states[1].setAttribute("aria-label", "as it is");
  const meter = make("div", { className: "meter" }, make("b"), make("u"));
  const seen = make("div", { className: "seen" }, meter, make("span"));
  const element = make("div", { className: "slider" },
    make("span", { className: "name", textContent: words(name), title: about(attribute) }), choice,
    make("div", { className: "track" }, range, ...marks(attribute)), number, seen);
  range.addEventListener("input", () => change(name, Number(range.value), excludes, false));
  range.addEventListener("change", () => change(name, Number(range.value), excludes, true));
  for (const input of states) input.addEventListener("change", () => change(name, input.value || null, excludes, true));
  return { element, range, number, states, seen, meter };
}

function about({ judged, excludes }) {
  const parts = judged ? [] : ["no judge sees it: 1 is the distance between faces with and without it"];
  if (excludes.length) parts.push(`excludes ${excludes.map(words).join(", ")}`);
  return parts.join("; ");
}

// Marks at 0 and, where the calibration got there, at the strengths on which 80 % flip.
function marks({ reached }) {
  const places = [[0, "zero"], ...(reached.remove ? [[-1, "flip"]] : []), ...(reached.add ? [[1, "flip"]] : [])];
  return places.map(([at, kind]) => {
    const mark = make("i", { className: kind, "aria-hidden": "true" });
    mark.style.left = `calc(8px + (100% - 16px) * ${(at + FARTHEST) / (2 * FARTHEST)})`;
    return mark;
  });
}

// The state of the spec on the sliders.
export function show(text) {
  const changes = spec.parse(text);
  for (const [name, one] of rows) {
    const value = changes.get(name) ?? null;
    const number = typeof value === "number" ? value : 0;
    if (document.activeElement !== one.range || Number(one.range.value) !== number) one.range.value = number;
    one.number.textContent = typeof value === "number" ? spec.signed(value) : value ?? "";
    for (const input of one.states) input.checked = input.value === (typeof value === "string" ? value : "");
    one.element.classList.toggle("moved", value !== null);
  }
}

// What the judge sees: on the sliders, and in the list of what else moves.
export function showSeen(looked, text) {
  const asked = spec.parse(text);
  const seen = looked?.attributes ?? {};
  for (const [name, one] of rows) {
    const found = seen[name];
    one.seen.hidden = !found;
    if (!found) continue;
    one.meter.children[0].style.width = `${100 * found.after}%`;
    one.meter.children[1].style.width = `${100 * found.before}%`;
    one.seen.children[1].textContent = percent(found.after);
  }
  const others = Object.entries(seen)
    .filter(([name, { before, after }]) => !asked.has(name) && Math.abs(after - before) >= SHOWN)
    .sort(([, a], [, b]) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before)).slice(0, 10)
    .map(([name, { before, after }]) => make("li", {}, make("span", { textContent: words(name) }),
      make("span", { className: after > before ? "up" : "down", textContent: `${percent(before)} → ${percent(after)}` })));
  const none = make("li", { className: "small", textContent: looked?.moved ? "Nothing else by 5 % or more." : "Nothing is edited yet." });
  find("effects").replaceChildren(...(others.length ? others : [none]));
}

export function filter() {
  const wanted = find("filter").value.trim().toLowerCase();
  for (const [name, one] of rows) one.element.hidden = !words(name).toLowerCase().includes(wanted.replaceAll("_", " "));
}
