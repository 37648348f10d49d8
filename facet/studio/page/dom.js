// Small helpers for the page's elements.

export const find = (id) => document.getElementById(id);

// An element with properties and children; `data` and `aria` prefixes become attributes.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

export function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export const words = (name) => name.replaceAll("_", " ");
export const percent = (share) => `${Math.round(100 * share)} %`;

export function say(text, bad = false) {
  const line = find("said");
  line.textContent = text;
  line.classList.toggle("bad", bad);
}

export function showDialog(title, ...body) {
  find("dialog_title").textContent = title;
  find("dialog_body").replaceChildren(...body);
  if (!find("dialog").open) find("dialog").showModal();
}
