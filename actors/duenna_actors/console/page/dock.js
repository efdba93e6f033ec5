// The lower left: why things failed, how the bot does, its breakers, alerts and states over time.

import { get, mayAct, whyNot } from "./access.js";
import { breaker as askBreaker, button, words } from "./actions.js";
import { stacked, timeline, uptimeWords } from "./charts.js";
import { $, h, icon, keyed, mark, say, show, tabs } from "./dom.js";
import { mute, testAlert, unmute } from "./mute.js";
import { whyLine } from "./panels.js";
import { now, store, wall, whenChanged } from "./store.js";
import { age, bytes, breaker as breakerLook, clock, count, day, leaf, plain, plural, severity } from "./words.js";

const TABS = [["why", "Why"], ["health", "Health"], ["breakers", "Breakers"], ["alerts", "Alerts"], ["states", "States"]];
const NEEDS = { why: ["why"], health: ["issues", "kpis", "state", "dead_letters", "errors", "viewers", "loop"], breakers: ["breakers"], alerts: ["alerts", "silences"], states: [] };
const SPANS = [["1 h", 3600], ["6 h", 21600], ["24 h", 86400]];

let tab = "why";
let bar = null;
let charts = null;
let span = 86400;
let go = () => {};
let total = -1;
let fetched = -Infinity;

export function start(select) {
  go = select;
  bar = tabs($("dock-tabs"), TABS, (id) => { tab = id; rebuild(); });
  bar.choose("why");
  whenChanged((news) => {
    labels(news);
    if (NEEDS[tab].some((name) => news.header.has(name))) draw();
  });
}

export const open = (id) => bar.choose(id);

/** Build anew: another tab, or another role. */
export function rebuild() {
  show($("dock-panel"));
  $("dock-panel").scrollTop = 0;
  if (store.header !== null) draw();
  if (tab === "states") fetchCharts(true);
}

function labels(news) {
  const { breakers, alerts, why } = store.header;
  if (news.header.has("why")) {
    const open = why.filter((row) => row.outcome === "open").length;
    bar.label("why", open ? `Why (${open} open)` : "Why");
  }
  if (news.header.has("breakers")) {
    const open = breakers.filter((row) => row.state !== "closed" && row.state !== "metrics_only").length;
    bar.label("breakers", open ? `Breakers (${open})` : "Breakers");
  }
  if (news.header.has("alerts")) bar.label("alerts", alerts?.length ? `Alerts (${alerts.length})` : "Alerts");
}

function draw() {
  ({ why, health, breakers, alerts, states })[tab]($("dock-panel"));
}

function section(box, name, make) {
  let found = box.querySelector(`:scope > [data-part="${name}"]`);
  if (!found) box.append((found = make()));
  found.dataset.part = name;
  return found;
}

function why(box) {
  const rows = store.header.why;
  const list = section(box, "list", () => h("div", { role: "list", "aria-label": "Why: error, verdict, action, outcome", class: "whys" }));
  keyed(list, rows, (row) => `${row.id} ${row.outcome} ${row.errors} ${row.actions.length} ${row.actions.at(-1)?.status} ${row.actions.at(-1)?.attempt}`, (row) => {
    const node = whyLine(row, true);
    node.addEventListener("click", () => go(row.path));
    return { node };
  });
  empty(box, rows.length === 0, "Nothing has gone wrong since the bot started.");
}

function empty(box, is, text) {
  const note = section(box, "empty", () => h("p", { class: "dim" }));
  note.hidden = !is;
  say(note, text);
}

function health(box) {
  const { issues, kpis, state, dead_letters: dead, viewers, loop, errors } = store.header;
  const value = JSON.stringify([issues, kpis, state, dead, viewers, loop.blocked, errors.types]);
  if (box.shownHealth === value && box.firstChild) return;
  box.shownHealth = value;
  const stored = `${plain(state.store, 80)}${state.saved_at ? `, saved ${day(state.saved_at)}` : ""}${state.size ? `, ${bytes(state.size)}` : ""}`;
  show(box, h("div", { class: "columns" },
    h("section", {}, h("h3", {}, plural(issues.length, "issue")), issues.length === 0 ? h("p", { class: "dim" }, "None.") : h("ul", { class: "plain" }, issues.map((one) => h("li", {}, plain(one, 400))))),
    h("section", {}, h("h3", {}, "Key figures"), kpis.length === 0 ? h("p", { class: "dim" }, "None are set.") : h("ul", { class: "plain" }, kpis.map((one) =>
      h("li", {}, icon(one.met ? "running" : "backoff", one.met ? "ok" : "warn"), plain(one.text, 200), h("span", { class: "dim" }, one.met ? " met" : " missed"))))),
    h("section", {}, h("h3", {}, "Errors by type"), errors.types.length === 0 ? h("p", { class: "dim" }, "None.") : h("ul", { class: "plain" }, errors.types.map((one) =>
      h("li", {}, plain(one.type, 80), h("span", { class: "dim" }, ` ${count(one.count)}, ${one.rate.toFixed(1)}/min`))))),
    h("section", {}, h("h3", {}, "Runtime"), h("dl", { class: "facts small" }, [["State store", stored], ["Durable", state.is_durable ? "yes" : `no: ${plain(state.problem, 200)}`],
      ["Dead letters", count(dead)], ["Loop blocked", loop.blocked ? `${plural(loop.blocked, "time")}, last by ${plain(loop.blocked_by, 120) || "no actor"}` : "never"],
      ["Viewers", String(viewers)]].map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))))));
}

function breakers(box) {
  const rows = store.header.breakers;
  const list = section(box, "list", () => h("ul", { class: "lines" }));
  keyed(list, rows, (row) => row.name, (row) => {
    const [shape, word, numbers, error] = [h("span"), h("b"), h("span", { class: "dim numbers" }), h("span", { class: "error" })];
    const act = h("span", { class: "buttons" });
    return { node: h("li", {}, shape, h("b", { class: "who" }, plain(row.name, 120)), word, numbers, error, act), shape, word, numbers, error, act, state: "" };
  }, (part, row) => {
    const [tone, shape] = breakerLook(row.state);
    const wait = row.retry_at === null ? 0 : row.retry_at - now();
    say(part.word, row.state.replace("_", " ") + (wait > 0 ? ` ${age(wait + 0.999)}` : ""));
    say(part.numbers, `${count(row.calls)} calls, ${count(row.successes)} ok, ${count(row.failures)} failed, ${count(row.rejected)} rejected${row.fallbacks ? `, ${count(row.fallbacks)} by fallback` : ""}${row.failure_rate === null ? "" : `, ${(row.failure_rate * 100).toFixed(0)} % failing`}`);
    say(part.error, plain(row.last_error, 300));
    if (part.state === row.state) return;
    part.state = row.state;
    show(part.shape, icon(shape, tone));
    part.word.className = `t-${tone}`;
    show(part.act, button("Reset", () => askBreaker("reset", row.name), { possible: row.state !== "closed" }),
      button("Force open", () => askBreaker("force_open", row.name), { possible: row.state !== "forced_open" }),
      button("Disable", () => askBreaker("disable", row.name), { possible: row.state !== "disabled" }));
  });
  empty(box, rows.length === 0, "No guard with a breaker has been used, or each has begun anew.");
}

function alerts(box) {
  const { alerts: firing, silences } = store.header;
  if (firing === null) return empty(box, true, "This bot has no alerting. Give it alerts([...]) and they are shown here.");
  const list = section(box, "list", () => h("ul", { class: "lines" }));
  keyed(list, firing, (row) => `${row.id} ${row.silenced_by} ${row.inhibited_by}`, (row) => {
    const tone = severity(row.severity);
    const text = h("span", { class: "error" });
    const note = row.silenced_by ? "muted" : row.inhibited_by ? "inhibited by another" : "";
    return { text, node: h("li", { "data-muted": String(note !== "") }, icon(note ? "muted" : tone === "bad" ? "failed" : "backoff", note ? "off" : tone),
      h("b", { class: `t-${tone}` }, plain(row.severity, 20)), h("b", { class: "who", title: plain(row.target, 300) }, plain(`${row.kind} ${leaf(row.target)}`, 160)), text,
      h("span", { class: "dim" }, `since ${clock(wall(row.since))}${row.count > 1 ? `, ${row.count} times` : ""}${note ? `, ${note}` : ""}`),
      h("span", { class: "buttons" }, !row.silenced_by && button("Mute", () => mute({ alert: row })), row.path && h("button", { type: "button", onclick: () => go(row.path) }, "Show"))) };
  }, (part, row) => say(part.text, plain(row.summary, 400)));
  empty(box, firing.length === 0, "No alert fires.");
  const head = section(box, "muted", () => h("h3"));
  say(head, silences.length ? plural(silences.length, "silence") : "No silences");
  const quiet = section(box, "silences", () => h("ul", { class: "lines" }));
  keyed(quiet, silences, (row) => row.id, (row) => {
    const left = h("span", { class: "dim" });
    return { left, node: h("li", { class: "silence" }, icon("muted", "off"), h("b", { class: "who" }, plain(row.matchers.join(", "), 300)), left,
      h("span", {}, plain(`${row.author}${row.comment ? `: ${row.comment}` : ""}`, 300)), h("span", { class: "buttons" }, button("Unmute", () => unmute(row.id)))) };
  }, (part, row) => say(part.left, `until ${clock(row.until)}, ${age(row.until - wall(now()))} left`));
  const test = section(box, "test", () => h("p", {}, button("Send a test alert", testAlert)));
  return mark(test, "title", mayAct() ? null : whyNot());
}

function states(box) {
  if (charts === null) return show(box, h("p", { class: "dim" }, "…"));
  const to = now();
  const began = store.header.now - (store.header.at - store.header.bot.started_at);
  const from = Math.min(to - 60, Math.max(to - span, began)); // a young bot fills the width, too
  const rows = Object.entries(charts.states);
  const choose = h("div", { class: "line" }, h("p", { class: "dim" }, rows.length === 0 ? "Every actor has run all the time." : "The taller and warmer, the worse."),
    h("span", { class: "buttons" }, SPANS.map(([label, seconds]) => h("button", { type: "button", "aria-pressed": String(span === seconds),
      onclick: () => { span = seconds; states(box); } }, label))));
  return show(box, choose, h("ul", { class: "states" }, rows.map(([path, transitions]) => {
    const words = uptimeWords(transitions, from, to);
    return h("li", {}, h("button", { type: "button", class: "sentence", onclick: () => go(path), title: plain(path, 300) }, leaf(path)),
      timeline(transitions, from, to, `${leaf(path)}: ${words}`), h("span", { class: "dim" }, words));
  })));
}

/** The charts are asked for when errors came or a while has passed, not at every tick. */
export async function fetchCharts(force = false) {
  if (store.header === null || store.frozen || document.hidden) return;
  const passed = performance.now() - fetched;
  if (!force && passed < (store.header.errors.total === total ? 30_000 : 2000)) return;
  fetched = performance.now();
  total = store.header.errors.total;
  try {
    charts = await get("api/v1/charts");
    show($("rates-chart"), stacked(charts));
    if (tab === "states") states($("dock-panel"));
  } catch (error) {
    if (charts === null) show($("rates-chart"), h("p", { class: "problem" }, words(error)));
  }
}

export function tick() {
  if (store.header !== null && (tab === "breakers" || tab === "alerts")) draw();
  fetchCharts();
}
