// The states of an edit, with undo and redo without limit. The page holds it, so a server that ends takes none of it.
// A step is a state, its name, and the system that it was made with.

export const FIRST = {
  spec: "", mode: "auto", faces: "largest", face: 0, sure: 0.97, refine: 0, clip: false, unless_already: false,
  off_frontal: false, unlike_training: false, aligned: false, strokes: {},
};

export class History {
  constructor(system, steps = [{ name: "The photo", system, state: FIRST }], at = steps.length - 1) {
    this.steps = steps;
    this.at = at;
  }

  get step() { return this.steps[this.at]; }
  get state() { return this.step.state; }
  get canUndo() { return this.at > 0; }
  get canRedo() { return this.at < this.steps.length - 1; }

  // A new step after the one that is shown; what was undone is gone. Returns false if nothing is new.
  push(state, name, system = this.step.system) {
    if (system === this.step.system && JSON.stringify(state) === JSON.stringify(this.state)) return false;
    this.steps = [...this.steps.slice(0, this.at + 1), { name, system, state }];
    this.at += 1;
    return true;
  }

  go(at) { this.at = Math.min(Math.max(at, 0), this.steps.length - 1); }
  undo() { this.go(this.at - 1); }
  redo() { this.go(this.at + 1); }

  rename(name) { this.steps = this.steps.map((step, i) => (i === this.at ? { ...step, name } : step)); }

  // As JSON, in which a step holds only the strokes that it adds to those of the step before: [how many it keeps, more].
  toJSON() {
    const packed = this.steps.map((step, i) => {
      const before = i ? this.steps[i - 1].state.strokes : {};
      const strokes = Object.entries(step.state.strokes).map(([face, own]) => {
        const kept = shared(before[face] ?? [], own);
        return [face, [kept, own.slice(kept)]];
      });
      return { ...step, state: { ...step.state, strokes: Object.fromEntries(strokes) } };
    });
    return { steps: packed, at: this.at };
  }

  // The history in a session file; throws an Error that says what is wrong.
  static of(value) {
    const steps = [];
    try {
      for (const { name, system, state } of value.steps) {
        const before = steps.length ? steps[steps.length - 1].state.strokes : {};
        const strokes = Object.entries(state.strokes).map(([face, [kept, more]]) => [face, [...(before[face] ?? []).slice(0, kept), ...more]]);
        steps.push({ name: String(name), system: String(system), state: { ...FIRST, ...state, strokes: Object.fromEntries(strokes) } });
      }
    } catch { steps.length = 0; }
    if (!steps.length) throw new Error("this session holds no history; choose a file that the studio saved");
    const at = Number.isInteger(value.at) && value.at >= 0 && value.at < steps.length ? value.at : steps.length - 1;
    return new History(steps[0].system, steps, at);
  }
}

// How many strokes two lists begin with in common.
function shared(a, b) {
  let count = 0;
  while (count < a.length && count < b.length && (a[count] === b[count] || JSON.stringify(a[count]) === JSON.stringify(b[count]))) count += 1;
  return count;
}
