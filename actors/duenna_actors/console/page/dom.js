// Elements from values. Text becomes text nodes and nothing else: no string is ever parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(4)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export const $ = (id) => document.getElementById(id);

/** Show a symbol of index.html; it says nothing to a screen reader, the word beside it does. */
export function icon(name, tone = "") {
  const use = svg("use", { href: `#i-${name}` });
  return svg("svg", { class: `icon ${tone && `t-${tone}`}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, use);
}

export function turn(drawn, name, tone) {
  drawn.firstChild.setAttribute("href", `#i-${name}`);
  drawn.setAttribute("class", `icon ${tone && `t-${tone}`}`);
}

/** Write only what is new: an untouched text node costs neither style nor layout. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function mark(node, name, value) {
  if (value === null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Make the children of *box* those of *items*, in their order; what is there already is kept, with its focus. */
export function keyed(box, items, keyOf, make, update) {
  const have = (box.keyedParts ??= new Map());
  const wanted = new Map();
  for (const item of items) wanted.set(keyOf(item), item);
  for (const [key, part] of have) {
    if (wanted.has(key)) continue;
    part.node.remove();
    have.delete(key);
  }
  let at = box.firstChild;
  for (const [key, item] of wanted) {
    let part = have.get(key);
    if (part === undefined) have.set(key, (part = make(item)));
    update?.(part, item);
    if (part.node === at) at = at.nextSibling;
    else box.insertBefore(part.node, at);
  }
}

/** Replace all that *box* shows. */
export function show(box, ...children) {
  box.keyedParts = undefined;
  box.replaceChildren(...children.flat(4).filter((child) => child !== null && child !== false));
}

/** A row of tabs: arrow keys move, the panel is filled by *open*. */
export function tabs(list, names, open) {
  const buttons = names.map(([id, label]) =>
    h("button", { type: "button", role: "tab", id: `${list.id}-${id}`, "data-tab": id, "aria-controls": list.dataset.panel,
      "aria-selected": "false", tabindex: "-1", onclick: () => choose(id) }, label));
  const choose = (id) => {
    for (const one of buttons) {
      const is = one.dataset.tab === id;
      one.setAttribute("aria-selected", is);
      one.tabIndex = is ? 0 : -1;
      if (is) $(list.dataset.panel).setAttribute("aria-labelledby", one.id);
    }
    open(id);
  };
  list.setAttribute("role", "tablist");
  list.replaceChildren(...buttons);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
    next.focus();
    choose(next.dataset.tab);
    event.preventDefault();
  });
  return { choose, label: (id, text) => say(buttons[names.findIndex(([name]) => name === id)], text) };
}
