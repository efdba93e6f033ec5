// The selected node: its buttons, and six tabs, each asked for only while it is open.

import { actor, get, mayAct, whyNot } from "./access.js";
import { act, button, verbs, words } from "./actions.js";
import { $, h, icon, mark, say, show, tabs, turn } from "./dom.js";
import { about, file } from "./incidents.js";
import { mute } from "./mute.js";
import * as panels from "./panels.js";
import { store, whenChanged } from "./store.js";
import { day, leaf, look, plain } from "./words.js";

const TABS = [["now", "Now"], ["errors", "Errors"], ["stack", "Stack"], ["mailbox", "Mailbox"], ["history", "History"], ["log", "Log"]];
const EVERY = 3000; // milliseconds between two looks at what is not in the stream

let path = "";
let tab = "now";
let known = {};      // what was fetched of this actor, by tab
let head = null;
let bar = null;
let asked = 0;
let abort = new AbortController();

export function start() {
  whenChanged((news) => {
    if (path === "" || !(news.rows.has(path) || news.order)) return;
    if (!store.rows.has(path)) return gone();
    drawHead();
    if (tab === "now") draw();
  });
  setInterval(() => { if (path !== "" && tab !== "stack" && !document.hidden && !store.frozen) fetchTab(); }, EVERY);
}

export function open(next, which = null) {
  document.body.classList.toggle("has-node", next !== "");
  if (next === path && head !== null) {
    if (which) bar.choose(which);
    return;
  }
  path = next;
  known = {};
  if (path === "" || !store.rows.has(path)) return gone();
  build();
  bar.choose(which ?? tab);
}

export function showTab(which) {
  if (path !== "") { document.body.classList.add("has-node"); bar?.choose(which); }
}

export const current = () => (store.rows.has(path) ? path : "");

/** Build anew: another role may press other buttons. */
export function rebuild() {
  if (current() === "") return;
  build();
  bar.choose(tab);
}

function gone() {
  head = null;
  path = "";
  document.body.classList.remove("has-node");
  show($("node"), h("div", { class: "empty" }, h("p", {}, "Select an actor to see it."), h("p", { class: "dim" }, "Arrow keys move, ", h("kbd", {}, "?"), " lists all keys.")));
}

function build() {
  const shape = icon("pending");
  const word = h("span", { class: "word" });
  head = { shape, word, buttons: h("div", { class: "buttons" }), signature: "" };
  const list = h("div", { id: "node-tabs", class: "tabs", "data-panel": "node-panel", "aria-label": "Views of this actor" });
  const panel = h("div", { id: "node-panel", role: "tabpanel", tabindex: "0" });
  show($("node"), h("div", { class: "head" },
    h("button", { type: "button", class: "back", onclick: () => { document.body.classList.remove("has-node"); $("tree").querySelector('[tabindex="0"]')?.focus(); } }, "← Actors"),
    shape, h("h2", { id: "node-title" }, leaf(path)), word),
  h("p", { class: "path" }, plain(path, 300)), head.buttons, mayAct() ? null : h("p", { class: "note" }, whyNot()), list, panel);
  bar = tabs(list, TABS, (id) => { tab = id; $("node-panel").scrollTop = 0; draw(); fetchTab(); });
  drawHead();
}

function drawHead() {
  const row = store.rows.get(path);
  const { tone, shape, word } = look(row);
  turn(head.shape, shape, tone);
  say(head.word, word);
  mark(head.word, "class", `word t-${tone}`);
  const able = verbs(row);
  const incident = about(path);
  const signature = `${JSON.stringify(able)}${mayAct()}${incident?.id}`;
  if (signature === head.signature) return;
  head.signature = signature;
  show(head.buttons, able.map(([verb, key, possible]) => button(verb[0].toUpperCase() + verb.slice(1), () => act(verb, path), { key, possible })),
    store.header?.silences !== null && button("Mute", () => mute({ path }), { key: "m" }),
    incident && h("button", { type: "button", title: plain(`What the bot wrote down at ${day(incident.at)}: ${incident.reason}`, 400), onclick: () => file(incident.id) }, "Incident file"));
}

/** Incident files have come or gone. */
export function offer() {
  if (current() !== "" && head !== null) drawHead();
}

function draw() {
  const row = store.rows.get(path);
  if (!row || head === null) return;
  const box = $("node-panel");
  const wanted = { stack: "stack", mailbox: "mailbox" }[tab] ?? "details";
  if (known.problem && known[wanted] === undefined && tab !== "now") return show(box, h("p", { class: "problem" }, known.problem));
  const details = known.details ?? null;
  if (tab === "now") panels.now(box, row, details);
  else if (tab === "stack") panels.stack(box, known.stack, () => { known.stack = undefined; draw(); fetchTab(); });
  else if (tab === "mailbox") panels.mailbox(box, row, known.mailbox);
  else panels[tab](box, row, details);
}

async function fetchTab() {
  const [mine, of] = [++asked, path];
  abort.abort();
  abort = new AbortController();
  const what = { stack: "stack", mailbox: "mailbox" }[tab] ?? "";
  try {
    const value = tab === "mailbox" && !store.rows.get(of)?.mailbox ? null : await get(actor(of, what), abort.signal);
    if (mine !== asked || of !== path) return;
    known[what || "details"] = value;
    known.problem = "";
  } catch (error) {
    if (error.name === "AbortError" || mine !== asked) return;
    known.problem = words(error);
  }
  draw();
}
