// The paper's figure 2: reconstruction, error, original; modified, change, output. And all systems side by side.

import * as api from "./api.js";
import { find, make, percent, showDialog, words } from "./dom.js";
import * as spec from "./spec.js";

const NAMES = {
  reconstruction: "Reconstruction", error: "Error", original: "Original", modified: "Modified", change: "Change", output: "Output",
};

export function show(panels) {
  find("panels").replaceChildren(...Object.entries(NAMES).map(([name, caption]) => {
    const picture = make("img", { alt: caption });
    if (panels) picture.src = panels[name];
    return make("figure", {}, picture, make("figcaption", { textContent: caption }));
  }));
}

export async function sideBySide(photo, systems, state) {
  const grid = make("div", { className: "grid" });
  showDialog("One edit by every system", grid);
  for (const system of systems) {
    if (!find("dialog").open) return;
    const caption = make("figcaption", { textContent: system });
    try {
      const preview = await api.post(`api/photos/${photo.id}/preview`, { system, state: { ...state, strokes: {} }, tab: "side by side" });
      const seen = preview.looked?.attributes ?? {};
      const asked = [...spec.parse(state.spec).keys()].filter((name) => seen[name]);
      caption.textContent = [system, ...asked.map((name) => `${words(name)} ${percent(seen[name].before)} → ${percent(seen[name].after)}`)].join("; ");
      grid.append(make("figure", {}, make("img", { src: preview.image, alt: `The photo, edited by ${system}` }), caption));
    } catch (error) {
      caption.textContent = `${system}: ${error.message}`;
      grid.append(make("figure", {}, caption));
    }
  }
}
