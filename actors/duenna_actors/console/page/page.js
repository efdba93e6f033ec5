// The console's page: who may see it, then the parts, then the stream.

import { caller, findToken, get, remember, whenRefused } from "./access.js";
import { $, icon } from "./dom.js";
import * as dock from "./dock.js";
import * as events from "./events.js";
import * as keys from "./keys.js";
import * as incidents from "./incidents.js";
import { help } from "./mute.js";
import * as pane from "./pane.js";
import { store, whenChanged } from "./store.js";
import * as stream from "./stream.js";
import * as top from "./top.js";
import * as tree from "./tree.js";

const NARROW = matchMedia("(max-width: 900px)");

function select(path, tab = null) {
  if (!store.rows.has(path)) return dock.open(store.header.breakers.some((row) => row.name === path) ? "breakers" : "health");
  tree.select(path);
  return pane.open(path, tab);
}

/** Ask for a token; *why* is what the bot said to the last one. */
function gate(why) {
  stream.stop();
  $("dialog").close(); // it would lie over the question, and keep the focus
  $("gate").hidden = false;
  $("gate-why").textContent = why;
  $("desk").inert = $("bar").inert = true;
  $("token").value = "";
  $("token").focus();
}

/** Before each connection: who are we? Another bot, or another token file, may say otherwise. */
async function introduce(signal) {
  const before = caller.role;
  Object.assign(caller, await get("api/v1/whoami", signal));
  $("gate").hidden = true;
  $("desk").inert = $("bar").inert = false;
  if (before === caller.role || store.header === null) return;
  pane.rebuild();
  dock.rebuild();
}

function themes() {
  const next = { "": "dark", dark: "light", light: "" };
  const root = document.documentElement;
  const name = () => $("theme").setAttribute("aria-label", `Theme: ${root.dataset.theme ?? "as the system"}`);
  name();
  $("theme").addEventListener("click", () => {
    const chosen = next[root.dataset.theme ?? ""];
    if (chosen) root.dataset.theme = chosen;
    else delete root.dataset.theme;
    try { localStorage.setItem("duenna-theme", chosen); } catch { /* for this page only, then */ }
    name();
  });
}

/** The first thing that needs somebody is what a stranger wants to see. */
let isFresh = true;
function first(news) {
  if (news.anew) events.before();
  if (news.whole) incidents.refresh();
  if (!isFresh || !news.order || store.order.length === 0) return;
  isFresh = false;
  top.tick();
  dock.fetchCharts(true);
  const wrong = store.header.needs.find((need) => store.rows.has(need.path))?.path;
  if (!NARROW.matches) select(wrong ?? store.order[0]);
}

function main() {
  themes();
  tree.start((path) => pane.open(path));
  pane.start();
  pane.open("");
  top.start(select);
  dock.start(select);
  events.start(select);
  keys.start();
  whenChanged(first);
  stream.whenLinked(top.linked);
  whenRefused((refusal) => gate(refusal.problem.detail || "The bot does not know this token."));
  incidents.start(pane.offer);
  $("help").addEventListener("click", () => help(icon));
  $("gate").addEventListener("submit", (event) => {
    event.preventDefault();
    remember($("token").value.trim());
    stream.run(introduce);
  });
  addEventListener("hashchange", () => { if (findToken()) stream.run(introduce); });
  for (const tick of [top.tick, tree.tick, dock.tick]) setInterval(tick, 1000); // one that fails leaves the others
  if (findToken()) stream.run(introduce);
  else gate("");
}

main();
