// Edit specs as text and as a map of attribute to "on", "off" or a number of strengths.

export function parse(text) {
  const changes = new Map();
  for (const part of text.split(",")) {
    const [name, value] = part.split("=").map((word) => word.trim());
    if (!name || !value) continue;
    const lower = value.toLowerCase();
    changes.set(name, lower === "on" || lower === "off" ? lower : Number(value));
  }
  return changes;
}

export function text(changes) {
  return [...changes].map(([name, value]) => `${name}=${typeof value === "number" ? signed(value) : value}`).join(", ");
}

export function signed(value) {
  const short = String(Math.round(value * 1000) / 1000);
  return value < 0 ? short : `+${short}`;
}

export const towards = (value) => value === "on" || (typeof value === "number" && value > 0);

// A spec with one attribute changed; rivals that would be present, too, are dropped. 0 leaves the attribute alone.
export function changed(before, name, value, excludes) {
  const changes = parse(before);
  if (value === null || value === 0) changes.delete(name);
  else changes.set(name, value);
  if (value !== null && towards(value)) {
    for (const other of excludes) if (changes.has(other) && towards(changes.get(other))) changes.delete(other);
  }
  return text(changes);
}
