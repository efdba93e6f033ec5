// The live stream of events: it can be paused, and says what came meanwhile.

import { get } from "./access.js";
import { $, h, mark, say, show } from "./dom.js";
import { store, takeEvents, wall, whenChanged } from "./store.js";
import { clock, leaf, plain, plural } from "./words.js";

const MOST = 300;
const LEVELS = { TRACE: 0, DEBUG: 0, INFO: 1, SUCCESS: 1, WARNING: 2, ERROR: 3, CRITICAL: 3 };

let paused = false;
let came = 0;
let isAtEnd = true;
let go = () => {};

export function start(select) {
  go = select;
  $("pause").addEventListener("click", toggle);
  for (const id of ["events-level", "events-path"]) $(id).addEventListener("input", redraw);
  $("events-list").addEventListener("scroll", ({ target: box }) => { isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 30; }, { passive: true });
  $("events-list").addEventListener("click", (event) => {
    const path = event.target.closest(".event")?.dataset.path;
    if (path && store.rows.has(path) && getSelection().isCollapsed) go(path);
  });
  whenChanged((news) => {
    if (news.anew && !paused) return redraw();
    if (news.missed > 0 && !paused) append([h("p", { class: "event gap" }, `${plural(news.missed, "event")} left out: the page was too slow for all of them`)]);
    if (news.events.length === 0) return undefined;
    if (!paused) return add(news.events);
    came += news.events.length;
    return label();
  });
}

/** What happened before this page was opened, or before it found this bot. */
export async function before() {
  try {
    const { events } = await get("api/v1/events?limit=100");
    if (store.seen === 0) return takeEvents(events);
    const first = store.events[0]?.id ?? Infinity;
    store.events.unshift(...events.filter((event) => event.id < first));
    if (!paused) redraw();
  } catch { /* the stream will bring the next ones */ }
}

export function toggle() {
  paused = !paused;
  mark($("pause"), "aria-pressed", paused);
  came = 0;
  label();
  if (!paused) redraw();
}

function label() {
  say($("pause"), paused ? `Resume${came ? ` (${came} new)` : ""}` : "Pause");
}

function wanted(event) {
  if ((LEVELS[event.level] ?? 1) < Number($("events-level").value)) return false;
  const text = $("events-path").value.trim().toLowerCase();
  return text === "" || `${event.path} ${event.type} ${event.text}`.toLowerCase().includes(text);
}

function redraw() {
  show($("events-list"));
  add(store.events);
}

function add(events) {
  append(events.slice(-2 * MOST).filter(wanted).slice(-MOST).map((event) => h("div", { class: "event", "data-level": event.level, "data-path": event.path },
    h("time", {}, clock(wall(event.time))), h("b", { class: "level" }, plain(event.level, 10)),
    h("span", { class: "who", title: plain(event.path, 300) }, leaf(event.path)), h("span", { class: "text", title: plain(`${event.type}: ${event.text}`, 1000) }, plain(event.text, 500)))));
}

function append(nodes) {
  if (nodes.length === 0) return;
  const box = $("events-list");
  box.append(...nodes);
  while (box.childElementCount > MOST) box.firstChild.remove();
  // In the next frame: asking for a height now would lay out all that has changed at once, and then again.
  if (isAtEnd) requestAnimationFrame(() => { box.scrollTop = box.scrollHeight; });
}
