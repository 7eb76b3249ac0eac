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

  /** Read each of the texts in a task of its own. */
  async readAll(texts) {
    for (const text of texts) {
      harness.markdown(text);
      await new Promise((resolve) => setTimeout(resolve));
    }
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
