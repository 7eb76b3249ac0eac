// Buttons, menus and the layouts of Components V2; what pressing them does, and how it shows.

import { h, link } from "./dom.js";
import { colourOf } from "./embeds.js";
import { renderMarkdown, spoiler } from "./markdown.js";
import { fileCard, ownAddress, picture, resolved } from "./media.js";
import { createSelect } from "./selects.js";

const STYLES = new Map([
  [1, "primary"],
  [2, "secondary"],
  [3, "success"],
  [4, "danger"],
  [5, "link"],
  [6, "premium"],
]);
const LINK = 5;
const PREMIUM = 6;
const FAILED = "This interaction failed";

const DRAWN = new Map([
  [1, row],
  [2, button],
  [3, select],
  [5, select],
  [6, select],
  [7, select],
  [8, select],
  [9, section],
  [10, textDisplay],
  [11, thumbnail],
  [12, gallery],
  [13, file],
  [14, separator],
  [17, container],
]);

/** The components as elements; what is of no known kind is named. */
export function renderComponents(components, message, context) {
  return (components ?? []).map((component) => draw(component, message, context));
}

function draw(component, message, context) {
  const drawing = DRAWN.get(component?.type);
  if (drawing !== undefined) return drawing(component, message, context);
  return h("div", { class: "component-unknown" }, `A component of type ${component?.type} that this page does not know`);
}

// -- layouts

function row({ components }, message, context) {
  return h("div", { class: "component-row" }, ...renderComponents(components, message, context));
}

function section({ components, accessory }, message, context) {
  return h(
    "div",
    { class: "section" },
    h("div", { class: "section-words" }, ...renderComponents(components, message, context)),
    accessory ? h("div", { class: "section-accessory" }, draw(accessory, message, context)) : null,
  );
}

function textDisplay({ content }, _, context) {
  return h("div", { class: "text-display md" }, renderMarkdown(content ?? "", context));
}

function separator({ divider, spacing }) {
  return h(divider ?? true ? "hr" : "div", { class: `separator separator-${spacing === 2 ? "large" : "small"}` });
}

function container({ components, accent_color, spoiler: covered }, message, context) {
  const element = h("div", { class: "container" }, ...renderComponents(components, message, context));
  if (typeof accent_color === "number") {
    element.classList.add("container-accent");
    element.style.setProperty("--embed-colour", colourOf(accent_color));
  }
  return covered ? spoiler(element) : element;
}

function thumbnail({ media, description, spoiler: covered }, message) {
  return picture(media, message, { alt: description ?? "", covered, className: "thumbnail" });
}

function gallery({ items }, message) {
  const drawn = (items ?? []).map(({ media, description, spoiler: covered }) => picture(media, message, { alt: description ?? "", covered, className: "gallery-item" }));
  return h("div", { class: "gallery", "data-count": drawn.length }, ...drawn);
}

function file({ file: media, name, size, spoiler: covered }, message) {
  const address = resolved(media?.url, message);
  const attached = message.attachments?.find((attachment) => attachment.url === address);
  const known = name ?? attached?.filename ?? ownAddress(address)?.pathname.split("/").at(-1) ?? "file";
  const card = fileCard(known, size ?? attached?.size, address, attached?.description);
  return covered ? spoiler(card) : card;
}

// -- what can be pressed

function button(component, message, context) {
  const { style, label, emoji, url, disabled } = component;
  const words = [
    emoji ? h("span", { class: "button-emoji", "aria-hidden": label ? "true" : null }, emoji.id ? `:${emoji.name}:` : emoji.name) : null,
    label ? h("span", { class: "button-label" }, label) : null,
  ];
  const look = { class: "button", "data-style": STYLES.get(style) ?? "secondary" };
  if (style === LINK && !disabled) {
    return link(url, { ...look, "data-key": keyOf(component) }, ...words, h("span", { class: "button-away", "aria-hidden": "true" }, "↗"));
  }
  if (style === PREMIUM) words.push(h("span", { class: "button-label" }, "Buy"));
  const element = h("button", { ...look, type: "button", "data-key": keyOf(component), disabled: disabled || style === PREMIUM || style === LINK }, ...words);
  element.addEventListener("click", () => press(element, message, component, undefined, context));
  return element;
}

function select(component, message, context) {
  const menu = createSelect(component, context, {
    key: keyOf(component),
    commit: (values) => press(menu.element, message, component, values, context),
  });
  return menu.element;
}

/**
 * What a person takes for the same control after an edit: the same kind with the same words. Custom ids will not do,
 * since bots keep what holds at the moment in them.
 */
function keyOf({ type, label, emoji, placeholder, custom_id }) {
  return `${type}:${label || placeholder || emoji?.name || custom_id}`;
}

/** Tell the application, and show how it went: pending until it has acknowledged, failed if it does not. */
async function press(element, message, component, values, context) {
  if (element.dataset.state === "pending") return;
  element.dataset.state = "pending";
  element.setAttribute("aria-busy", "true");
  showFailure(message.id, element, null);
  try {
    await context.onComponent(message, component, values);
  } catch (error) {
    showFailure(message.id, element, error?.message || FAILED);
  } finally {
    delete element.dataset.state;
    element.removeAttribute("aria-busy");
  }
}

/** Under the message as it stands now: it may have been drawn anew since the press. */
function showFailure(messageId, element, text) {
  const now = document.querySelector(`.message[data-message-id="${CSS.escape(messageId)}"]`);
  const article = element.isConnected ? element.closest(".message") : now;
  const place = article?.querySelector(":scope .message-failure");
  if (place && place.textContent !== (text ?? "")) place.textContent = text ?? "";
}
