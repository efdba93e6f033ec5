// What stands in the tabs of a node.

import { sparkline, timeline, uptimeWords } from "./charts.js";
import { h, icon, keyed, say, show } from "./dom.js";
import { now as clockNow, store, wall } from "./store.js";
import { age, budget, clock, count, day, duration, leaf, look, outcome, plain, plural, rate, severity } from "./words.js";

const DAY = 86400;
const wait = () => h("p", { class: "dim" }, "…");

/** A list of facts that is kept and only rewritten, so that a selection in it survives. */
function facts(box, kind, pairs, of, more) {
  if (box.dataset.kind !== kind || !box.firstChild?.classList?.contains("facts")) {
    box.dataset.kind = kind;
    show(box, h("dl", { class: "facts" }), h("div", { class: "more" }));
  }
  keyed(box.firstChild, pairs.filter(([, text]) => text !== null && text !== ""), ([name]) => name, ([name]) => {
    const value = h("dd");
    return { node: h("div", {}, h("dt", {}, name), value), value };
  }, (part, [, text, tone]) => { say(part.value, text); part.value.className = tone ? `t-${tone}` : ""; });
  if (box.lastChild.dataset.of === of) return;
  box.lastChild.dataset.of = of;
  show(box.lastChild, more());
}

export function now(box, row, details) {
  const time = clockNow();
  const { tone, word } = look(row);
  const mail = row.mailbox;
  facts(box, "now", [
    ["State", row.link && row.link !== word ? `${word}, link ${row.link}` : word, tone],
    ["Wrong", plain(row.why, 600), row.why ? (tone === "ok" ? "warn" : tone) : ""],
    ["Next try", row.retry_at !== null && row.retry_at > time ? `in ${age(row.retry_at - time + 0.999)}` : null],
    ["Since", row.since === null ? null : `${clock(wall(row.since))}, ${age(time - row.since)} ago`],
    ["Budget", budget(row), row.budget?.left === 0 && row.budget.of > 0 ? "bad" : ""],
    ["Restarts", row.incarnation === 0 ? "never started" : `${row.restarts}, incarnation ${row.incarnation}${row.failures ? `, ${plural(row.failures, "failure")} in a row` : ""}`],
    ["Data", row.data ? `${row.data.at === null ? "none yet" : `${age(time - row.data.at)} old`}${row.data.expect_every ? `, expected every ${duration(row.data.expect_every)}` : ""}${row.data.is_stale ? ", STALE" : ""}` : null, row.data?.is_stale ? "warn" : ""],
    ["Mailbox", mail ? `${count(mail.depth)} of ${count(mail.capacity)} wait${mail.oldest_at === null ? "" : `, oldest ${age(time - mail.oldest_at)}`}${mail.dropped ? `, ${mail.dropped} dropped` : ""}` : null, mail?.dropped ? "warn" : ""],
    ["Messages", mail ? `${rate(row.rate)} per second, ${count(mail.received)} in all` : null],
    ["Breakers", row.breakers.map((one) => plain(one, 80)).join(", "), "bad"],
    ["Last error", plain(row.last_error, 1000)],
    ["Kind", `${row.strategy ? `supervisor, ${row.strategy}` : plain(row.kind, 80)}${row.is_critical ? ", critical: the bot is not ready without it" : ""}`],
    ["Saved", details?.saved_at ? day(details.saved_at) : null],
  ], `${row.path} ${JSON.stringify(details && [details.spec, details.why])}`, () => details && recipe(details));
}

function recipe(details) {
  const lines = Object.entries(details.spec);
  return [details.why.length > 0 && h("h3", {}, "Why"), details.why.slice(0, 5).map((one) => whyLine(one)),
    lines.length > 0 && h("h3", {}, "Recipe"),
    lines.length > 0 && h("dl", { class: "facts small" }, lines.map(([name, text]) => h("div", {}, h("dt", {}, plain(name, 60)), h("dd", {}, plain(text, 400)))))];
}

/** error -> verdict -> action -> outcome, as one row. */
export function whyLine(row, isLink = false) {
  const [tone, shape] = outcome(row.outcome);
  return h("div", { class: "why", role: "listitem", title: plain(row.text, 600) },
    h("time", {}, clock(wall(row.began))), h(isLink ? "button" : "b", { class: isLink ? "who sentence" : "who", type: isLink && "button", title: plain(row.path, 300) }, leaf(row.path)),
    h("span", { class: "error", title: plain(row.error, 1000) }, plain(row.error, 400), row.errors > 1 && h("em", { class: "times" }, `×${row.errors}`)),
    h("span", { class: "verdict" }, row.verdicts.map((one) => h("span", { class: `chip t-${severity(one.severity)}` }, plain(`${one.category} ${one.severity}`, 60)))),
    h("span", { class: "action" }, row.actions.length === 0 ? "no action" : row.actions.slice(-3).map((one) =>
      h("span", {}, plain(one.name, 60), one.attempt > 1 && ` #${one.attempt}`, h("i", {}, ` ${one.status.replace("_", " ")}`)))),
    h("span", { class: `outcome t-${tone}` }, icon(shape, tone), row.outcome.replace("_", " "),
      row.took >= 0.001 && h("i", { class: "dim" }, ` ${duration(row.took)}`)));
}

function done(box, name, value) {
  if (value === null || value === undefined) { if (box.dataset.kind !== name) { box.dataset.kind = name; show(box, wait()); } return true; }
  const key = JSON.stringify(value);
  if (box.dataset.kind === name && box.shownValue === key) return true;
  box.dataset.kind = name;
  box.shownValue = key;
  return false;
}

export function errors(box, row, details) {
  if (done(box, `errors ${row.path}`, details && [details.errors, details.sparkline, details.why])) return;
  const total = details.sparkline.reduce((sum, one) => sum + one, 0);
  const fates = new Map(details.why.map((one) => [one.error, one]));
  show(box, h("div", { class: "wide" }, sparkline(details.sparkline, `${plural(total, "error")} of this actor in the last hour`, { width: 360, height: 36 }),
    h("p", { class: "dim" }, `${plural(total, "error")} in the last hour, one bar a minute`)),
  details.errors.length === 0 ? h("p", { class: "dim" }, "No errors.") : h("ul", { class: "errors" }, details.errors.map((one) => oneError(one, fates))));
}

const did = (step) => plain(`${step.name}${step.attempt > 1 ? ` #${step.attempt}` : ""} ${step.status.replace("_", " ")}`, 120);

function oneError(one, fates) {
  const fate = fates.get(`${one.type}: ${one.message}`) ?? fates.get(one.message) ?? [...fates.values()].find((why) => why.error.startsWith(one.type) && Math.abs(why.began - one.time) < 1);
  const [tone, shape] = fate ? outcome(fate.outcome) : ["off", "pending"];
  return h("li", {}, h("p", {}, h("time", {}, clock(wall(one.time))), h("b", {}, plain(one.type, 120)),
    h("span", { class: `chip t-${severity(one.severity)}` }, plain(`${one.category} ${one.severity}`, 60)), one.transient && h("span", { class: "chip" }, "transient")),
  h("p", { class: "message" }, plain(one.message.startsWith(`${one.type}: `) ? one.message.slice(one.type.length + 2) : one.message, 1500)),
  fate && h("p", { class: "dim" }, h("span", { class: `outcome t-${tone}` }, icon(shape, tone), fate.outcome.replace("_", " ")), fate.actions.map(did).join(" → ")));
}

export function stack(box, found, again) {
  if (done(box, "stack", found)) return;
  show(box, h("div", { class: "line" }, h("p", { class: "dim" }, found.tasks.length === 0 ? "It has no task of its own: it is served only when mail arrives." : `${plural(found.tasks.length, "task")}, outermost frame first`),
    h("button", { type: "button", onclick: again }, "Look again")),
  found.tasks.map((task) => h("section", { class: "task" }, h("h3", {}, plain(task.task, 200), task.is_blocked_handler && h("span", { class: "chip t-warn" }, "handler waits")),
    h("ol", { class: "frames" }, task.frames.map((frame) => h("li", {}, h("code", {}, plain(frame.function, 120)), h("span", { class: "dim" }, `${plain(frame.file, 200)}:${frame.line}`)))))));
}

export function mailbox(box, row, found) {
  if (row.mailbox === null) { box.dataset.kind = "none"; return show(box, h("p", { class: "dim" }, "A supervisor has no mailbox.")); }
  const time = clockNow();
  if (done(box, "mailbox", found && [found, Math.floor(time)])) return undefined;
  return show(box, h("dl", { class: "facts" }, [["Waiting", `${found.mailbox.depth} of ${found.mailbox.capacity}`], ["When full", found.policy],
    ["In hand", found.current || "nothing"], ["Senders waiting", String(found.senders)], ["Stashed", String(found.stashed)],
    ["Dropped", String(found.mailbox.dropped)], ["Received", count(found.mailbox.received)]].map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, plain(text, 200))))),
  found.waiting.length > 0 && h("h3", {}, found.waiting.length < found.mailbox.depth ? `The first ${found.waiting.length}` : "Waiting, oldest first"),
  h("ol", { class: "waiting" }, found.waiting.map((one) => h("li", {}, h("code", {}, plain(one.type, 120)), h("span", { class: "dim" }, one.at === null ? "" : age(time - one.at))))));
}

export function history(box, row, details) {
  const to = clockNow();
  if (done(box, `history ${row.path}`, details && [details.history, Math.floor(to / 20)])) return;
  const from = Math.min(to - 60, Math.max(to - DAY, details.history[0]?.time ?? to));
  const words = uptimeWords(details.history, from, to);
  show(box, h("p", {}, `${words} since ${day(wall(from))}`), timeline(details.history, from, to, `States since ${day(wall(from))}: ${words}`),
    h("div", { class: "axis", "aria-hidden": "true" }, h("span", {}, clock(wall(from))), h("span", {}, "now")),
    h("ol", { class: "transitions" }, [...details.history].reverse().slice(0, 200).map((one) => h("li", {}, h("time", {}, clock(wall(one.time))),
      icon(...look2(one.state)), h("b", {}, one.state), h("span", { class: "dim" }, plain(one.why, 300))))));
}

const look2 = (state) => { const { tone, shape } = look({ state, breakers: [] }); return [shape, tone]; };

export function log(box, row, details) {
  const inner = (one) => one.path === row.path || one.path.startsWith(`${row.path}/`);
  const last = details?.events.at(-1)?.id ?? 0;
  const lines = details && [...details.events, ...store.events.filter((one) => one.id > last && inner(one))].slice(-100);
  if (done(box, `log ${row.path}`, lines)) return;
  show(box, lines.length === 0 ? h("p", { class: "dim" }, "Nothing so far.") : h("ol", { class: "log" }, lines.map((one) =>
    h("li", { "data-level": one.level }, h("time", {}, clock(wall(one.time))), h("span", {}, plain(one.text, 1000))))));
  box.scrollTop = box.scrollHeight;
}
