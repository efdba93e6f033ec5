// Short notes on what became of an action. Good news goes by itself, as does what stands elsewhere, too; bad news waits for you.

import { $, h, icon, say, turn } from "./dom.js";

const MOST = 4;

export function toast(text, tone = "busy", extra = null, { goes = false } = {}) {
  const shape = icon(shapes[tone], tone);
  const words = h("span", { class: "words" }, text);
  const node = h("div", { class: "toast", "data-tone": tone }, shape, words, extra,
    h("button", { type: "button", class: "square plain", "aria-label": "Dismiss", onclick: () => node.remove() }, "×"));
  const box = $("toasts");
  box.append(node);
  while (box.childElementCount > MOST) box.firstChild.remove();
  settle(node, goes ? "ok" : tone);
  return {
    become(next, nextTone) {
      node.dataset.tone = nextTone;
      turn(shape, shapes[nextTone], nextTone);
      say(words, next);
      settle(node, nextTone);
    },
  };
}

const shapes = { busy: "starting", ok: "finished", bad: "failed", warn: "backoff" };

function settle(node, tone) {
  if (tone === "ok") setTimeout(() => node.remove(), 8000);
}
