// The page's modules without the page: what a test draws and types into, and what was called.

import { mountComposer } from "/static/composer.js";
import { renderMarkdown } from "/static/markdown.js";
import { renderMessage, tickTimestamps } from "/static/messages.js";
import { openModal } from "/static/modal.js";

const byId = (list) => new Map(list.map((one) => [one.id, one]));

const harness = {
  calls: [],
  /** Answers by the name of the callback: a value, `{error, option}` or `{after_ms, value}`. */
  answers: {},
  context: null,
  composer: null,

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
    if (answer?.after_ms) await new Promise((resolve) => setTimeout(resolve, answer.after_ms));
    if (answer?.never) await new Promise(() => {});
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

  modal(modal) {
    openModal(modal, harness.context);
  },
};

window.harness = harness;
