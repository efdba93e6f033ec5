// Keys that work anywhere on the page, except where one types.

import { act, verbs } from "./actions.js";
import { $, icon } from "./dom.js";
import * as events from "./events.js";
import { incidents } from "./incidents.js";
import { help, mute } from "./mute.js";
import * as pane from "./pane.js";
import { store } from "./store.js";
import * as tree from "./tree.js";

export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || $("dialog").open || !$("gate").hidden) return;
    const isTyping = event.target.matches?.("input, select, textarea");
    if (event.key === "Escape") return escape(isTyping, event.target);
    if (isTyping) {
      if (event.target.id === "filter" && (event.key === "ArrowDown" || event.key === "Enter")) {
        event.preventDefault();
        $("tree").querySelector('[tabindex="0"]')?.focus();
      }
      return;
    }
    const run = keys[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  });
}

const selected = (then) => () => { const path = pane.current(); if (path) then(path, store.rows.get(path)); };
const verb = (at) => selected((path, row) => { const [name, , possible] = verbs(row)[at]; if (possible) act(name, path); });

const keys = {
  "/": () => { $("filter").focus(); $("filter").select(); },
  "?": () => help(icon),
  r: verb(0), s: verb(1), u: verb(2),
  k: selected(() => pane.showTab("stack")),
  l: selected(() => pane.showTab("log")),
  m: selected((path) => mute({ path })),
  t: tree.toggleTrouble,
  p: events.toggle,
  i: incidents,
  n: () => $("needs-list").querySelector("button")?.focus(),
};

function escape(isTyping, target) {
  if (isTyping) {
    if (target.value) { target.value = ""; target.dispatchEvent(new Event("input", { bubbles: true })); }
    else if (target.id === "filter") $("tree").querySelector('[tabindex="0"]')?.focus();
    else target.blur();
  } else document.body.classList.remove("has-node");
}
