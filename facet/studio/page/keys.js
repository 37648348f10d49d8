// Keyboard, drag and drop, and pasting.

import { go, page } from "./app.js";
import { find, make, showDialog } from "./dom.js";
import { openFile } from "./opening.js";
import * as stage from "./stage.js";

export function tool(name) {
  document.querySelector(`input[name=tool][value=${name}]`).checked = true;
  stage.setTool(name);
  if (name === "brush") find("brushes").open = true;
}

const KEYS = [["O", "open a photo", () => find("open").click()], ["S", "save the photo", () => find("save").click()],
  ["L", "look", () => tool("look")], ["B", "brush", () => { tool("brush"); find("overlay").focus(); }], ["I", "pick a colour", () => tool("pick")],
  ["W", "before or after", () => wipe()], ["0", "fit", () => find("fit").click()], ["F", "the face", () => find("near").click()], ["1", "the photo's own pixels", () => find("pixels").click()],
  ["[", "smaller brush", () => grow(-2)], ["]", "larger brush", () => grow(2)], ["?", "these keys", () => help()]];

let wiped = false;
function wipe() {
  wiped = !wiped;
  stage.setWipe(wiped ? 1 : 0);
}

function grow(by) {
  find("size").value = Number(find("size").value) + by;
  find("size").dispatchEvent(new Event("input"));
}

export function help() {
  const rows = [...KEYS.map(([key, does]) => [key, does]), ["Ctrl Z", "undo"], ["Ctrl Shift Z", "redo"], ["arrows, Enter", "move the brush on the photo, paint"],
    ["arrows, + −, Delete", "on the board: move, change a tile, its own value"], ["Ctrl wheel", "zoom"]];
  showDialog("Keyboard", make("table", {}, ...rows.map(([key, does]) => make("tr", {}, make("td", {}, make("kbd", { textContent: key })), make("td", { textContent: does })))));
}

export function listen() {
  document.addEventListener("keydown", (event) => {
    const control = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
    if (find("dialog").open || /^(text|search)$/.test(event.target.type ?? "") || event.target.tagName === "TEXTAREA") return;
    if (control && (key === "z" || key === "y")) {
      event.preventDefault();
      if (page.photo) go(page.history.at + (key === "y" || event.shiftKey ? 1 : -1));
    } else if (!control && !event.altKey && event.target.tagName !== "SELECT") {
      const found = KEYS.find(([name]) => name.toLowerCase() === key);
      if (found) { event.preventDefault(); found[2](); }
    }
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) { event.preventDefault(); openFile(file); }
  });
  const view = find("viewport");
  for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => { event.preventDefault(); view.classList.add("drop"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) view.classList.remove("drop"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    view.classList.remove("drop");
    openFile(event.dataTransfer.files[0]);
  });
}
