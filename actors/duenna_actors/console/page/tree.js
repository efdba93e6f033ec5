// The tree of actors: rows of one height, each touched only when it changed, driven by the arrow keys.

import { $, h, mark, say } from "./dom.js";
import { ages, draw, make } from "./row.js";
import { now, store, whenChanged } from "./store.js";
import { isTrouble, look } from "./words.js";

const COLUMNS = [["name", "Actor"], ["state", "State"], ["budget", "Budget"], ["restarts", "Restarts"], ["mailbox", "Mailbox"],
  ["data", "Data age"], ["rate", "Msg/s"], ["error", "Trouble"]];
const ORDER = { bad: 0, warn: 1, held: 2, busy: 3, off: 4, ok: 5 };
const SORTS = {
  name: (row) => row.name, state: (row) => ORDER[look(row).tone], budget: (row) => (row.budget ? row.budget.left / (row.budget.of || 1) : 2),
  restarts: (row) => -row.restarts, mailbox: (row) => -(row.mailbox ? row.mailbox.depth : -1), rate: (row) => -row.rate,
  data: (row) => (row.data ? -(now() - (row.data.at ?? -1e9)) : 1), error: (row) => (row.why || row.last_error ? 0 : 1),
};

export const view = { selected: "", sort: "", filter: "", trouble: false };
const collapsed = new Set(["/system"]);
const parts = new Map();
let shown = [];
let parents = new Set();
let chosen = () => {};

export function start(onChoose) {
  chosen = onChoose;
  $("columns").replaceChildren(...COLUMNS.map(([id, label]) =>
    h("button", { type: "button", class: `c-${id}`, "data-sort": id, title: `Sort by ${label.toLowerCase()}; again for the tree`,
      onclick: () => sortBy(id) }, label)));
  $("filter").addEventListener("input", () => { view.filter = $("filter").value.trim().toLowerCase(); layout(); });
  $("trouble").addEventListener("click", toggleTrouble);
  $("tree").addEventListener("keydown", keys);
  $("tree").addEventListener("click", clicked);
  $("tree").addEventListener("contentvisibilityautostatechange", seen);
  whenChanged(changed);
}

export function toggleTrouble() {
  view.trouble = !view.trouble;
  mark($("trouble"), "aria-pressed", view.trouble);
  layout();
}

function sortBy(id) {
  view.sort = view.sort === id || id === "name" ? "" : id;
  for (const button of $("columns").children) mark(button, "aria-pressed", view.sort === button.dataset.sort);
  layout();
}

function changed(news) {
  for (const path of news.rows) {
    const part = parts.get(path);
    if (part && store.rows.has(path)) drawSoon(part, path);
  }
  if (news.order || ((view.filter || view.trouble || view.sort) && news.rows.size > 0)) layout();
  else if (news.rows.size > 0) badges();
  if (news.order || news.rows.size > 0) counts();
}

/** What is out of sight is drawn when there is nothing else to do, within a second. */
const later = new Set();

function drawSoon(part, path) {
  if (!part.isSkipped) return draw(part, store.rows.get(path), view.sort !== "");
  if (later.size === 0) whenIdle(drawLater, { timeout: 1000 });
  return later.add(path);
}

const whenIdle = window.requestIdleCallback ?? ((then) => setTimeout(then, 200, { timeRemaining: () => 5 }));

function drawLater(deadline) {
  let least = 20;
  for (const path of later) {
    if (deadline.timeRemaining() < 2 && least-- <= 0) break;
    later.delete(path);
    if (parts.has(path) && store.rows.has(path)) draw(parts.get(path), store.rows.get(path), view.sort !== "");
  }
  if (later.size > 0) whenIdle(drawLater, { timeout: 1000 });
}

/** It came into sight: what was put off is due. */
function seen(event) {
  const { path } = event.target.dataset;
  const part = parts.get(path);
  if (!part) return;
  part.isSkipped = event.skipped;
  if (!event.skipped && store.rows.has(path)) draw(part, store.rows.get(path), view.sort !== "");
}

function counts() {
  let total = 0;
  let wrong = 0;
  for (const row of store.rows.values()) {
    total += 1;
    if (isTrouble(row)) wrong += 1;
  }
  const some = shown.length < total && (view.filter || view.trouble) ? `${shown.length} of ${total}` : String(total);
  say($("actors-count"), `${some}${wrong ? `, ${wrong} in trouble` : ""}`);
}

const parentOf = (path) => path.slice(0, path.lastIndexOf("/"));

/** Which rows are to be seen, and in what order. */
function visible() {
  parents = new Set(store.order.map(parentOf));
  const isFiltered = view.filter !== "" || view.trouble;
  if (!isFiltered && view.sort === "") return store.order.filter((path) => !isHidden(path));
  let found = store.order.filter((path) => fits(store.rows.get(path)));
  if (view.sort !== "") {
    const key = SORTS[view.sort];
    return found.sort((a, b) => { const [x, y] = [key(store.rows.get(a)), key(store.rows.get(b))]; return x < y ? -1 : x > y ? 1 : 0; });
  }
  const wanted = new Set();
  for (const path of found) for (let at = path; at !== ""; at = parentOf(at)) wanted.add(at);
  return store.order.filter((path) => wanted.has(path));
}

function isHidden(path) {
  for (let at = parentOf(path); at !== ""; at = parentOf(at)) if (collapsed.has(at)) return true;
  return false;
}

function fits(row) {
  if (view.trouble && !isTrouble(row)) return false;
  if (view.filter === "") return true;
  const text = `${row.path} ${row.kind} ${look(row).word} ${row.link} ${row.data?.is_stale ? "stale" : ""} ${row.why} ${row.last_error}`.toLowerCase();
  return view.filter.split(/\s+/).every((word) => text.includes(word));
}

export function layout() {
  const box = $("tree");
  const had = document.activeElement?.getAttribute?.("role") === "treeitem";
  shown = visible();
  const wanted = new Set(shown);
  for (const [path, part] of parts) {
    if (wanted.has(path)) continue;
    part.node.remove();
    if (!store.rows.has(path)) parts.delete(path);
  }
  let at = box.firstChild;
  for (const path of shown) {
    let part = parts.get(path);
    if (!part) parts.set(path, (part = make(path)));
    draw(part, store.rows.get(path), view.sort !== "");
    mark(part.node, "aria-selected", path === view.selected);
    if (part.node === at) at = at.nextSibling;
    else box.insertBefore(part.node, at);
  }
  box.classList.toggle("flat", view.sort !== "");
  badges();
  counts();
  rove(had && document.activeElement === document.body);
}

function rove(focus) {
  const at = shown.includes(view.selected) ? view.selected : shown[0];
  for (const path of shown) mark(parts.get(path).node, "tabindex", path === at ? "0" : "-1");
  if (focus && at) parts.get(at).node.focus({ preventScroll: true });
}

export function tick() {
  for (const path of shown) {
    const part = parts.get(path);
    if (!part.isSkipped && (part.row.data || part.row.retry_at)) ages(part);
  }
}

/** A closed branch says what is wrong inside it. */
function badges() {
  const wrong = new Map();
  for (const at of collapsed) wrong.set(at, 0);
  for (const row of store.rows.values()) {
    if (!isTrouble(row)) continue;
    for (let at = parentOf(row.path); at !== ""; at = parentOf(at)) if (wrong.has(at)) wrong.set(at, wrong.get(at) + 1);
  }
  const isTree = view.sort === "" && view.filter === "" && !view.trouble;
  for (const path of shown) {
    const part = parts.get(path);
    const isParent = view.sort === "" && parents.has(path);
    const isOpen = !isTree || !collapsed.has(path);
    mark(part.node, "aria-expanded", isParent ? String(isOpen) : null);
    const inside = isParent && !isOpen ? wrong.get(path) : 0;
    say(part.badge, inside ? `${inside} in trouble` : "");
  }
}

export function select(path, { focus = false, quiet = false } = {}) {
  if (view.selected === path && quiet) return;
  if (parts.has(view.selected)) mark(parts.get(view.selected).node, "aria-selected", false);
  view.selected = path;
  for (let at = parentOf(path); at !== ""; at = parentOf(at)) if (collapsed.delete(at)) quiet = false;
  if (!shown.includes(path)) {
    if (view.filter || view.trouble) {
      Object.assign(view, { filter: "", trouble: false });
      $("filter").value = "";
      mark($("trouble"), "aria-pressed", false);
    }
    layout();
  }
  const part = parts.get(path);
  if (part) mark(part.node, "aria-selected", true);
  rove(false);
  if (part && focus) part.node.focus();
  part?.node.scrollIntoView({ block: "nearest" });
  chosen(path);
}

function toggle(path, open = collapsed.has(path)) {
  if (open) collapsed.delete(path);
  else collapsed.add(path);
  layout();
}

function clicked(event) {
  const row = event.target.closest(".row");
  if (!row) return;
  if (event.target.closest(".caret") && row.hasAttribute("aria-expanded")) toggle(row.dataset.path);
  else select(row.dataset.path, { focus: true });
}

function keys(event) {
  const path = event.target.closest?.(".row")?.dataset.path;
  if (!path || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = shown.indexOf(path);
  const expanded = parts.get(path).node.getAttribute("aria-expanded");
  const go = (to) => shown[to] !== undefined && select(shown[to], { focus: true });
  const page = 12;
  const moves = {
    ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1), Home: () => go(0), End: () => go(shown.length - 1),
    PageDown: () => go(Math.min(shown.length - 1, at + page)), PageUp: () => go(Math.max(0, at - page)),
    ArrowRight: () => (expanded === "false" ? toggle(path, true) : expanded === "true" && go(at + 1)),
    ArrowLeft: () => (expanded === "true" && !view.filter && !view.trouble ? toggle(path, false)
      : parts.has(parentOf(path)) && select(parentOf(path), { focus: true })),
    Enter: () => select(path), " ": () => select(path),
  };
  if (!moves[event.key]) return;
  event.preventDefault();
  moves[event.key]();
}
