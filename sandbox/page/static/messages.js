// A message as an element: who said it and when, why, what it holds, and who sees it.

import { renderComponents } from "./components.js";
import { h, nameOf } from "./dom.js";
import { renderEmbed } from "./embeds.js";
import { renderMarkdown } from "./markdown.js";
import { attachment, resolved } from "./media.js";
import { formatTimestamp, messageTime } from "./timestamps.js";

export { tickTimestamps } from "./timestamps.js";

const SUPPRESS_EMBEDS = 1 << 2;
const EPHEMERAL = 1 << 6;
const LOADING = 1 << 7;
const COMPONENTS_V2 = 1 << 15;
const TYPED = 1;
const LONGEST_SNIPPET = 120;

/** The message as `<article class="message">`; `grouped` where the one before is of the same author and time. */
export function renderMessage(message, context, { grouped = false } = {}) {
  const flags = message.flags ?? 0;
  const why = reason(message, context);
  const alone = !grouped || why !== null;
  const name = nameOf(message.author);
  const time = messageTime(message.timestamp, context.now());
  const article = h(
    "article",
    { class: "message", "data-message-id": message.id, "aria-label": `${name}, ${time.textContent}`, tabindex: "-1" },
    appsButton(message, context, flags),
    why,
    alone ? avatar(message.author) : h("span", { class: "message-time-aside" }, time),
    h(
      "div",
      { class: "message-main" },
      alone ? header(message, name, time) : null,
      ...body(message, context, flags),
      h("div", { class: "message-failure", role: "alert" }, message.failed ?? ""),
      flags & EPHEMERAL ? onlyYou(message, context) : null,
    ),
  );
  article.classList.toggle("grouped", !alone);
  article.classList.toggle("ephemeral", Boolean(flags & EPHEMERAL));
  article.classList.toggle("mentions-me", mentionsMe(message, context));
  article.addEventListener("contextmenu", (event) => {
    const menu = article.querySelector(".message-apps");
    const isOfBrowser = event.target.closest("a, input") !== null || !getSelection().isCollapsed;
    if (menu !== null && !isOfBrowser && context.onApps(message, menu, event)) event.preventDefault();
  });
  return article;
}

/** Opens the menu of what apps do with the message; none on what nobody else sees, or is not said yet. */
function appsButton(message, context, flags) {
  if (!context.onApps || flags & (EPHEMERAL | LOADING) || message.loading) return null;
  const attributes = { class: "message-apps", type: "button", "data-key": "apps", "aria-haspopup": "menu", "aria-expanded": "false" };
  const button = h("button", { ...attributes, "aria-label": "Apps for this message", title: "Apps" }, h("span", { "aria-hidden": "true" }, "⋯"));
  // A press takes the focus to the menu; in between it would leave a menu that is open, and so close it.
  button.addEventListener("mousedown", (event) => event.preventDefault());
  button.addEventListener("click", () => context.onApps(message, button));
  return button;
}

function mentionsMe(message, { me }) {
  if (me === undefined || me === null || message.author?.id === me.id) return false;
  return Boolean(message.mention_everyone) || (message.mentions ?? []).some((user) => user.id === me.id);
}

function avatar(user) {
  const element = h("span", { class: "avatar", "aria-hidden": "true" }, ([...nameOf(user)][0] ?? "?").toUpperCase());
  element.style.setProperty("--hue", String(hueOf(user?.id ?? "0")));
  return element;
}

/** A colour of one's own, from the id's last digits, which differ most. */
function hueOf(id) {
  return (Number(id.slice(-6)) * 47) % 360;
}

function header(message, name, time) {
  const app = message.author?.bot ? h("span", { class: "badge" }, "APP") : null;
  return h("div", { class: "message-header" }, h("bdi", { class: "message-author" }, name), app, h("span", { class: "message-time" }, time));
}

// -- what it is an answer to

/** "ada used /signals reddit", or what is replied to; null for a message of its own. */
function reason(message, context) {
  const used = message.interaction_metadata ?? message.interaction;
  const command = message.interaction?.name ?? message.interaction_metadata?.name;
  const isTyped = (message.interaction_metadata?.command_type ?? TYPED) === TYPED;
  if (used && command) return usedCommand(used.user, command, isTyped, context);
  const repliedTo = message.message_reference?.message_id ?? message.interaction_metadata?.interacted_message_id;
  if (repliedTo === undefined || repliedTo === null) return null;
  return reply(message.referenced_message ?? context.messages?.get(repliedTo), repliedTo);
}

function usedCommand(user, command, isTyped, context) {
  const line = isTyped ? `/${command}` : command;
  const chip = isTyped && context.onPrefill
    ? h("button", { class: "mention", type: "button", onclick: () => context.onPrefill(`${line} `) }, line)
    : h("span", { class: "mention" }, line);
  return h("div", { class: "message-why" }, h("bdi", { class: "message-why-name" }, nameOf(user)), " used ", chip);
}

function reply(original, id) {
  if (original === undefined || original === null) {
    return h("div", { class: "message-why" }, h("em", {}, "Original message was deleted or is not loaded"));
  }
  const jump = () => {
    const found = document.querySelector(`.message[data-message-id="${CSS.escape(id)}"]`);
    found?.scrollIntoView({ block: "center" });
    found?.focus();
  };
  const words = summary(original);
  return h(
    "div",
    { class: "message-why" },
    h("bdi", { class: "message-why-name" }, nameOf(original.author)),
    " ",
    h("button", { class: "message-why-words", type: "button", title: "Jump to the message", onclick: jump }, words),
  );
}

/** The beginning of what a message says, on one line and as it is written. */
export function summary(message) {
  const embed = message.embeds?.[0];
  const text = message.content || embed?.title || embed?.description || firstText(message.components) || "Click to see it";
  return [...text.replaceAll("\n", " ")].slice(0, LONGEST_SNIPPET).join("");
}

function firstText(components) {
  for (const component of components ?? []) {
    const text = component.content || firstText(component.components);
    if (text) return text;
  }
  return "";
}

// -- what it holds

function body(message, context, flags) {
  if (message.loading || flags & LOADING) return [thinking(message)];
  const second = Boolean(flags & COMPONENTS_V2);
  const embeds = flags & SUPPRESS_EMBEDS ? [] : (message.embeds ?? []);
  return [
    message.content || message.edited_timestamp ? content(message, context) : null,
    ...(second ? [] : attachments(message, embeds)),
    ...embeds.map((embed) => renderEmbed(embed, message, context)),
    message.components?.length ? componentsOf(message, context, second) : null,
  ];
}

function thinking(message) {
  const dots = h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
  return h("div", { class: "thinking" }, dots, `${nameOf(message.author)} is thinking…`);
}

function content(message, context) {
  const element = h("div", { class: "message-content md" }, renderMarkdown(message.content ?? "", context, { everyone: Boolean(message.mention_everyone) }));
  if (message.edited_timestamp) {
    const last = element.lastElementChild;
    const line = last?.classList.contains("md-p") ? last : element;
    line.append(" ", edited(message, context));
  }
  return element;
}

function edited(message, context) {
  const at = formatTimestamp(Date.parse(message.edited_timestamp) / 1000, "F", context.now());
  return h("span", { class: "edited", title: at }, "(edited)");
}

/** The attachments that no embed shows already. */
function attachments(message, embeds) {
  const inEmbeds = new Set(embeds.flatMap((embed) => [embed.image?.url, embed.thumbnail?.url]).map((url) => resolved(url, message)));
  const left = (message.attachments ?? []).filter((file) => !inEmbeds.has(file.url));
  return left.length === 0 ? [] : [h("div", { class: "attachments" }, ...left.map((file) => attachment(file, message)))];
}

function componentsOf(message, context, second) {
  return h("div", { class: second ? "components components-v2" : "components" }, ...renderComponents(message.components, message, context));
}

function onlyYou(message, context) {
  const dismiss = context.onDismiss
    ? h("button", { class: "linkish", type: "button", "data-key": "dismiss", onclick: () => context.onDismiss(message) }, "Dismiss message")
    : null;
  return h("div", { class: "message-only-you" }, h("span", { "aria-hidden": "true" }, "👁 "), "Only you can see this", dismiss ? " · " : null, dismiss);
}
