// Asks for pictures of states: one request at a time, and of those that wait only the newest.

import * as api from "./api.js";

const TAB = Math.random().toString(36).slice(2);

export class Viewer {
  // `shown(preview)` gets each picture, `failed(error)` each failure.
  constructor(shown, failed) {
    this.shown = shown;
    this.failed = failed;
    this.busy = false;
    this.next = null;
  }

  ask(photo, request) {
    this.next = [photo, request];
    if (!this.busy) this.work();
  }

  async work() {
    this.busy = true;
    while (this.next) {
      const [photo, request] = this.next;
      this.next = null;
      try {
        this.shown(await api.post(`api/photos/${photo}/preview`, { ...request, tab: TAB }), photo, request);
      } catch (error) {
        if (!(error instanceof api.Overtaken)) this.failed(error);
      }
    }
    this.busy = false;
  }
}
