// One row of the tree: made once, then only what changed in it is written.

import { h, icon, mark, say, turn } from "./dom.js";
import { now } from "./store.js";
import { age, brief, budget, count, isTrouble, look, plain, plural, rate } from "./words.js";

const SAID = /^is [^:]*(: |$)/; // what the state says already

export function make(path) {
  const cell = (id, ...inside) => h("span", { class: `c-${id}` }, ...inside);
  const [caret, shape] = [icon("caret"), icon("pending")];
  const [name, tag, word, pips, left, restarts, fillBar, mail, data, speed, error, badge] =
    ["b", "i", "span", "span", "span", "span", "span", "span", "span", "span", "span", "em"].map((tag) => h(tag));
  caret.classList.add("caret");
  name.className = "name";
  tag.className = "tag";
  pips.className = "pips";
  fillBar.className = "fill";
  badge.className = "badge";
  const node = h("div", { role: "treeitem", class: "row cells", "data-path": path, tabindex: "-1", "aria-selected": "false" },
    cell("name", caret, shape, name, tag, badge), cell("state", word), cell("budget", pips, left), cell("restarts", restarts),
    cell("mailbox", fillBar, mail), cell("data", data), cell("rate", speed), cell("error", error));
  node.style.setProperty("--depth", path.split("/").length - 2);
  return { node, caret, shape, name, tag, word, pips, left, restarts, fillBar, mail, data, speed, error, badge, row: null, isSkipped: false };
}

export function draw(part, row, isFlat) {
  mark(part.node, "aria-level", isFlat ? 1 : row.depth + 1);
  if (part.row === row) return;
  part.row = row;
  const { tone, shape, word } = look(row);
  turn(part.shape, shape, tone);
  mark(part.node, "data-tone", tone);
  say(part.name, plain(row.name, 120));
  say(part.tag, row.strategy || (row.kind === "function" ? "" : plain(row.kind, 40)));
  drawBudget(part, row);
  say(part.restarts, row.restarts === 0 ? "" : `${count(row.restarts)}×`);
  const box = row.mailbox;
  say(part.mail, box ? `${count(box.depth)}/${count(box.capacity)}` : "");
  const share = box ? box.depth / box.capacity : 0;
  part.fillBar.style.setProperty("--full", box ? Math.min(1, share).toFixed(3) : 0);
  mark(part.fillBar, "data-tone", !box ? "none" : share > 0.8 || box.dropped > 0 ? "bad" : share > 0.4 ? "warn" : "ok");
  mark(part.fillBar, "title", box?.dropped ? `${plural(box.dropped, "message")} dropped` : null);
  say(part.speed, box ? rate(row.rate) : "");
  mark(part.speed, "class", row.rate === 0 ? "past" : null);
  const wrong = row.why.replace(SAID, "");
  say(part.error, plain(wrong || row.last_error, 300));
  mark(part.error, "class", wrong || isTrouble(row) ? "now" : "past");
  mark(part.error, "title", plain(row.why || row.last_error, 500) || null);
  part.label = `${plain(row.name, 120)}, ${word}${row.why ? `, ${plain(row.why, 200)}` : ""}, ${budget(row)}`;
  mark(part.node, "aria-label", part.label);
  ages(part);
}

function drawBudget(part, row) {
  const { left, of } = row.budget ?? {};
  mark(part.pips, "data-of", of === undefined ? "none" : Math.min(of, 6));
  say(part.left, of === undefined ? "" : `${left}/${of}`);
  mark(part.pips.parentNode, "title", of === undefined ? null : budget(row));
  mark(part.pips.parentNode, "data-tone", of === undefined || (of === 0 && row.state !== "failed") ? "full" : left === 0 ? "bad" : left < of && (left <= 1 || left / of <= 0.5) ? "warn" : "full");
  const pips = of === undefined ? 0 : Math.min(of, 5);
  while (part.pips.childElementCount > pips) part.pips.lastChild.remove();
  while (part.pips.childElementCount < pips) part.pips.append(h("i"));
  [...part.pips.children].forEach((pip, at) => mark(pip, "class", at < Math.ceil((left / of) * pips) ? "on" : "out"));
}

/** What changes by itself: ages, and how long until the next try. */
export function ages(part) {
  const row = part.row;
  const { word } = look(row);
  const wait = row.retry_at === null || row.retry_at === undefined ? null : row.retry_at - now();
  say(part.word, wait !== null && wait > 0 ? `${word} ${brief(wait + 0.999)}` : word);
  if (!row.data) return say(part.data, "");
  say(part.data, row.data.at === null ? (row.data.is_stale ? "none STALE" : "none") : `${age(now() - row.data.at)}${row.data.is_stale ? " STALE" : ""}`);
  mark(part.data, "class", row.data.is_stale ? "stale" : null);
}
