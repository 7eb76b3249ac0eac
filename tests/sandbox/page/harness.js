// The page's modules without the page: what a test draws and types into, and what was called.

import { mountComposer } from "/static/composer.js";
import { renderMarkdown } from "/static/markdown.js";
import { renderMessage, tickTimestamps } from "/static/messages.js";
import { openModal } from "/static/modal.js";

const byId = (list) => new Map(list.map((one) => [one.id, one]));

const harness = {
  calls: [],
  /**
   * Answers by the name of the callback: `{value}` or `{error, option}`, in both `held: true` until `release()` is
   * called; several in turn as `{queue}`.
   */
  answers: {},
  waiting: [],
  context: null,
  composer: null,

  /** As if the page had just been opened. */
  clear() {
    harness.composer?.destroy();
    for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
    document.getElementById("log").replaceChildren();
    delete document.documentElement.dataset.theme;
    Object.assign(harness, { calls: [], answers: {}, waiting: [], context: null, composer: null });
  },

  /** Let the callbacks that are held go on, oldest first; or only one of them. */
  release(index = null) {
    const released = index === null ? harness.waiting.splice(0) : harness.waiting.splice(index, 1);
    for (const resolve of released) resolve();
  },

  begin({ me, bot, channel, channels, roles, users, commands, now, ...more }) {
    harness.context = {
      me, bot, channel, commands, guild: null, mayWrite: true, whyNotWrite: "", messages: new Map(),
      channels: byId(channels), roles: byId(roles), users: byId(users),
      now: () => now ?? Date.now(),
      ...more,
    };
    for (const name of ["onCommand", "onAutocomplete", "onComponent", "onModalSubmit", "onSay", "onOpenChannel", "onPrefill", "onDismiss"]) {
      harness.context[name] = (...given) => harness.called(name, given);
    }
  },

  async called(name, given) {
    harness.calls.push([name, JSON.parse(JSON.stringify(given, (_, value) => (value instanceof File ? `file ${value.name}` : value)))]);
    let answer = harness.answers[name];
    if (Array.isArray(answer?.queue)) answer = answer.queue.shift();
    if (answer?.held) await new Promise((resolve) => harness.waiting.push(resolve));
    if (answer?.error) throw Object.assign(new Error(answer.error), { option: answer.option });
    return answer?.value;
  },

  draw(message, options) {
    const item = document.createElement("li");
    item.append(renderMessage(message, harness.context, options));
    document.getElementById("log").append(item);
  },

  redraw(message) {
    const before = document.querySelector(`[data-message-id="${message.id}"]`);
    before.replaceWith(renderMessage(message, harness.context));
  },

  markdown(text, options) {
    const place = document.createElement("div");
    place.className = "md";
    place.append(renderMarkdown(text, harness.context, options));
    return place.innerHTML;
  },

  tick(now) {
    tickTimestamps(document.body, now);
  },

  mount() {
    harness.composer = mountComposer(document.getElementById("composer"), harness.context);
  },

  turn(changes) {
    harness.context = { ...harness.context, ...changes };
    harness.composer.setContext(harness.context);
  },

  /** How long a text takes to read, in milliseconds; the best of three. */
  readingTime(text) {
    const once = () => {
      const began = performance.now();
      harness.markdown(text);
      return performance.now() - began;
    };
    return Math.min(once(), once(), once());
  },

  /** Texts whose contrast against what is behind them is less than 4.5 to 1. */
  weakContrasts() {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
    const behind = (node) => {
      if (node === null) return [255, 255, 255, 1];
      const own = rgba(getComputedStyle(node).backgroundColor);
      return own[3] === 1 ? own : over(own, behind(node.parentElement));
    };
    const light = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) =>
        (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4),
      );
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const weak = [];
    for (const node of document.querySelectorAll("#log *")) {
      const words = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
      if (!words || node.closest(":disabled, [aria-hidden=true], [inert]")) continue;
      const background = behind(node);
      const [one, other] = [light(over(rgba(getComputedStyle(node).color), background)), light(background)];
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      if (ratio < 4.5) weak.push(`${node.className || node.localName}: ${ratio.toFixed(2)} ${node.textContent.slice(0, 30)}`);
    }
    return weak;
  },

  /** The longest task of the main thread while `action` runs, in milliseconds; the best of three runs. */
  async longestTask(action) {
    const runs = [];
    for (let run = 0; run < 3; run += 1) {
      let longest = 0;
      const observer = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration);
      });
      observer.observe({ type: "longtask" });
      await action();
      await new Promise((resolve) => setTimeout(resolve, 50));
      observer.disconnect();
      runs.push(longest);
      if (longest < 50) break;
    }
    return Math.min(...runs);
  },

  async scrollThrough() {
    const scroll = document.getElementById("scroll");
    scroll.scrollTop = 0;
    for (let top = 0; top < scroll.scrollHeight; top += 1500) {
      scroll.scrollTop = top;
      await new Promise(requestAnimationFrame);
    }
  },

  /** Type into whatever has the focus, a character a frame; then begin anew. */
  async typeSlowly(text) {
    harness.composer.prefill("");
    for (const character of text) {
      document.execCommand("insertText", false, character);
      await new Promise(requestAnimationFrame);
    }
  },

  modal(modal) {
    openModal(modal, harness.context);
  },
};

window.harness = harness;
