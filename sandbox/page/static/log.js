// The messages of one channel. Drawn in slices, so that typing and scrolling never wait for them.

import { h, nameOf } from "./dom.js";
import { renderMessage, summary, tickTimestamps } from "./messages.js";

const SLICE_MS = 8;
const AT_ONCE = 25;
const NEAR_PX = 90;
const GROUPED_MS = 7 * 60_000;
const TICK_MS = 15_000;
const QUIET_MS = 1500;

/** Gives `show(messages, context)` for another channel or person, `put(message)`, `remove(id)`, `toNewest()` and `tick()`. */
export function mountLog({ scroll, list, newer }, now) {
  const items = new Map();
  let shown = [];
  let context = null;
  let stuck = true;
  let filling = 0;
  const changed = new Set();
  const settling = new Map();
  const heard = h("p", { class: "unseen", role: "status" });
  let flushing = false;

  scroll.after(heard);

  scroll.addEventListener("scroll", () => {
    stuck = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_PX;
    if (stuck) newer.hidden = true;
  });
  newer.addEventListener("click", () => {
    toNewest();
    scroll.focus();
  });
  new ResizeObserver(follow).observe(list);
  new ResizeObserver(follow).observe(scroll);
  setInterval(tick, TICK_MS);

  /** Bring the times that are shown up to date. */
  function tick() {
    tickTimestamps(list, now());
  }

  function follow() {
    if (!stuck) return;
    scroll.scrollTop = scroll.scrollHeight;
    newer.hidden = true;
  }

  /** Go to the newest message, and stay with what comes. */
  function toNewest() {
    stuck = true;
    follow();
  }

  /** Show a channel from its newest message on; older ones are drawn above it slice by slice. */
  function show(messages, newContext) {
    context = newContext;
    shown = messages;
    items.clear();
    changed.clear();
    stuck = true;
    filling += 1;
    list.setAttribute("aria-busy", "true");
    list.replaceChildren(welcome());
    fill(filling, Math.max(0, shown.length - AT_ONCE), shown.length);
  }

  function fill(turn, from, to) {
    const started = performance.now();
    let at = to;
    while (at > from && (performance.now() - started < SLICE_MS || at === to)) {
      at -= 1;
      insert(shown[at], at);
    }
    follow();
    const next = at > from ? from : Math.max(0, at - AT_ONCE);
    if (at > 0) soon(() => turn === filling && fill(turn, next, at));
    else list.removeAttribute("aria-busy");
  }

  /** A new message, or another version of a known one. */
  function put(message) {
    const at = shown.findIndex((known) => known.id === message.id);
    if (at === -1) shown.push(message);
    else shown[at] = message;
    changed.add(message.id);
    if (!flushing) {
      flushing = true;
      requestAnimationFrame(flush);
    }
  }

  function flush() {
    const started = performance.now();
    for (const id of changed) {
      if (performance.now() - started > SLICE_MS) break;
      changed.delete(id);
      const at = shown.findIndex((message) => message.id === id);
      if (at === -1) continue;
      if (items.has(id)) replace(shown[at], at);
      else {
        insert(shown[at], at);
        if (!stuck) newer.hidden = false;
      }
    }
    follow();
    if (changed.size > 0) requestAnimationFrame(flush);
    else flushing = false;
  }

  function remove(id) {
    const had = items.get(id)?.contains(document.activeElement) ?? false;
    items.get(id)?.remove();
    items.delete(id);
    changed.delete(id);
    if (had) scroll.focus({ preventScroll: true });
    const at = shown.findIndex((message) => message.id === id);
    if (at === -1) return;
    shown.splice(at, 1);
    if (at < shown.length && items.has(shown[at].id)) replace(shown[at], at);
  }

  function insert(message, at) {
    const item = h("li", { role: "none" }, ...parts(message, at));
    const after = shown.slice(at + 1).find((later) => items.has(later.id));
    list.insertBefore(item, after === undefined ? null : items.get(after.id));
    items.set(message.id, item);
  }

  /** Another version in its place; who stands on one of its buttons stays there. */
  function replace(message, at) {
    const item = items.get(message.id);
    const key = item.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const had = item.contains(document.activeElement);
    // An answer in progress changes every second: readers of the screen hear of its last version only.
    clearTimeout(settling.get(message.id));
    settling.set(message.id, setTimeout(() => tellChange(message), QUIET_MS));
    item.replaceChildren(...parts(message, at));
    item.querySelector(".message").setAttribute("aria-live", "off");
    if (!had) return;
    const same = key === undefined ? null : item.querySelector(`[data-key="${CSS.escape(key)}"]:not(:disabled)`);
    (same ?? item.querySelector(".message")).focus({ preventScroll: true });
  }

  function tellChange(message) {
    settling.delete(message.id);
    if (items.has(message.id)) heard.textContent = `${nameOf(message.author)} changed a message: ${summary(message)}`;
  }

  function parts(message, at) {
    const before = shown[at - 1];
    const day = dayOf(message);
    const divider = before === undefined || dayOf(before) !== day ? h("h3", { class: "day" }, h("span", {}, day)) : null;
    const grouped = divider === null && belongsTo(message, before);
    return [divider, renderMessage(message, context, { grouped })].filter((part) => part !== null);
  }

  function welcome() {
    const channel = context.channel;
    const title = channel.type === 1 ? `You and ${channel.name}` : `This is the beginning of #${channel.name}`;
    const hint = h(
      "p",
      {},
      "Type ",
      h("button", { class: "hint", onclick: () => context.onPrefill("/signals reddit ") }, "/signals reddit"),
      " below, and press Enter twice: once for the command, once to send it.",
    );
    return h("li", { class: "welcome", role: "none" }, h("h2", {}, title), context.mayWrite ? hint : null);
  }

  return { show, put, remove, toNewest, tick };
}

function belongsTo(message, before) {
  const plain = message.interaction === undefined && message.message_reference === undefined && message.type === 0;
  const near = Date.parse(message.timestamp) - Date.parse(before.timestamp) < GROUPED_MS;
  return plain && near && message.author.id === before.author.id && message.flags === before.flags;
}

function dayOf(message) {
  return new Date(message.timestamp).toLocaleDateString(undefined, { dateStyle: "long" });
}

function soon(work) {
  setTimeout(work, 0);
}
