// Small charts as SVG. Each has a name that says what it shows, for those who do not see it.

import { h, svg } from "./dom.js";
import { age, plural, stateLook } from "./words.js";

const SEVERITIES = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];

export function sparkline(values, label, { width = 90, height = 18 } = {}) {
  const most = Math.max(1, ...values);
  const step = width / Math.max(1, values.length);
  const bars = values.map((value, at) => {
    const tall = value === 0 ? 1 : Math.max(2, (value / most) * height);
    return svg("rect", { x: (at * step).toFixed(2), y: (height - tall).toFixed(2), width: Math.max(0.8, step - 1).toFixed(2),
      height: tall.toFixed(2), class: value === 0 ? "none" : "some" });
  });
  return svg("svg", { class: "bars", viewBox: `0 0 ${width} ${height}`, width, height, preserveAspectRatio: "none",
    role: "img", "aria-label": label }, bars);
}

/** Errors of each of the last 60 minutes, stacked by severity. */
export function stacked(charts) {
  const by = Object.fromEntries(SEVERITIES.map((name) => [name, pick(charts.by_severity, name)]));
  const minutes = charts.errors.length;
  const most = nice(Math.max(4, ...charts.errors));
  const parts = [grid(most)];
  for (let at = 0; at < minutes; at++) {
    let below = 0;
    for (const name of [...SEVERITIES].reverse()) {
      const value = by[name][at] ?? 0;
      if (value > 0) parts.push(bar(at, minutes, below, value, most, name));
      below += value;
    }
    const rest = charts.errors[at] - below;
    if (rest > 0) parts.push(bar(at, minutes, below, rest, most, "other"));
  }
  const total = charts.errors.reduce((sum, value) => sum + value, 0);
  const label = `${plural(total, "error")} in the last ${minutes} minutes, at most ${Math.max(0, ...charts.errors)} in one minute`;
  const drawing = svg("svg", { viewBox: "0 0 600 100", preserveAspectRatio: "none", role: "img", "aria-label": label }, parts);
  const calm = total === 0 && h("p", { class: "none-yet" }, "No errors in the last hour");
  const axis = h("div", { class: "axis", "aria-hidden": "true" }, h("span", {}, `${minutes} min ago`), h("span", {}, "30 min"), h("span", {}, "now"));
  return [h("div", { class: "plot" }, h("span", { class: "scale", "aria-hidden": "true" }, String(most)), drawing, calm), axis];
}

const pick = (by, name) => by[name] ?? by[name.toLowerCase()] ?? [];

function bar(at, minutes, below, value, most, name) {
  const step = 600 / minutes;
  return svg("rect", { class: `sev-${name.toLowerCase()}`, x: (at * step + 1).toFixed(1), width: (step - 2).toFixed(1),
    y: (100 - ((below + value) / most) * 100).toFixed(2), height: ((value / most) * 100).toFixed(2) });
}

function grid(most) {
  return [0, 50, 100].map((y) => svg("line", { class: "grid", x1: 0, x2: 600, y1: y, y2: y, "data-value": (most * (100 - y)) / 100 }));
}

function nice(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 5, 10].map((one) => one * power).find((one) => one >= most);
}

export function severityKey() {
  return SEVERITIES.map((name) => h("span", { class: `swatch sev-${name.toLowerCase()}` }, name.toLowerCase()));
}

/** How tall a state is drawn: trouble stands out by height, not by colour alone. */
const HEIGHT = { running: 6, finished: 3, stopped: 3, pending: 3, suspended: 10, starting: 10, stopping: 10, backoff: 15, failed: 20 };

/** The states of one actor between *from* and *to*. */
export function timeline(transitions, from, to, label) {
  const width = 600;
  const scale = (time) => ((Math.max(from, Math.min(to, time)) - from) / (to - from)) * width;
  const parts = transitions.map(({ time, state, why }, at) => {
    const until = transitions[at + 1]?.time ?? to;
    if (until < from) return null;
    const tall = HEIGHT[state] ?? 8;
    const name = `${state} for ${age(until - time)}${why ? `: ${why}` : ""}`;
    return svg("rect", { class: `st-${stateLook(state)[0]}`, x: scale(time).toFixed(2), width: Math.max(1.5, scale(until) - scale(time)).toFixed(2),
      y: 20 - tall, height: tall }, svg("title", {}, name));
  });
  return svg("svg", { class: "timeline", viewBox: `0 0 ${width} 20`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    parts.filter((part) => part !== null));
}

/** In words, what share of the time it ran, and how often it did not. */
export function uptimeWords(transitions, from, to) {
  let ran = 0;
  let known = 0;
  let falls = 0;
  transitions.forEach(({ time, state }, at) => {
    const start = Math.max(from, time);
    const end = Math.max(start, transitions[at + 1]?.time ?? to);
    known += end - start;
    if (state === "running") ran += end - start;
    if (time >= from && ["backoff", "failed"].includes(state)) falls += 1;
  });
  if (known <= 0) return "nothing known yet";
  const share = (100 * ran) / known;
  return `${share > 99.95 || share === 0 ? share.toFixed(0) : share.toFixed(1)} % running, ${plural(falls, "fall")}`;
}
