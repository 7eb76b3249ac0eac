// Embeds, every part of them.

import { h, link } from "./dom.js";
import { renderMarkdown } from "./markdown.js";
import { icon, picture, resolved } from "./media.js";
import { messageTime } from "./timestamps.js";

const COLUMNS = 3;

/** One embed of the message. */
export function renderEmbed(embed, message, context) {
  const inline = (text) => renderMarkdown(text, context, { inline: true });
  const body = h(
    "div",
    { class: "embed-body" },
    embed.provider?.name ? h("div", { class: "embed-provider" }, embed.provider.name) : null,
    embed.author?.name ? author(embed.author, message) : null,
    embed.title ? h("h3", { class: "embed-title" }, embed.url ? link(embed.url, {}, inline(embed.title)) : inline(embed.title)) : null,
    embed.description ? h("div", { class: "embed-description md" }, renderMarkdown(embed.description, context)) : null,
    embed.fields?.length ? fields(embed.fields, context) : null,
    embed.image?.url ? picture(embed.image, message, { alt: embed.image.description ?? altOf(embed.image, message), className: "embed-image" }) : null,
    embed.video?.url && !embed.image?.url ? picture(embed.video, message, { alt: "Video", className: "embed-image" }) : null,
    embed.footer?.text || embed.timestamp ? footer(embed, message, context) : null,
  );
  const aside = embed.thumbnail?.url
    ? picture(embed.thumbnail, message, { alt: embed.thumbnail.description ?? altOf(embed.thumbnail, message), className: "embed-thumbnail" })
    : null;
  const element = h("section", { class: "embed", "aria-label": "Embed" }, body, aside);
  if (typeof embed.color === "number") element.style.setProperty("--embed-colour", colourOf(embed.color));
  return element;
}

/** A colour as Discord writes it: one number of 24 bits. */
export function colourOf(number) {
  return `#${(number & 0xffffff).toString(16).padStart(6, "0")}`;
}

/** The description of the attachment that is shown as the picture. */
function altOf(media, message) {
  const address = resolved(media.url, message);
  return message.attachments?.find((attachment) => attachment.url === address)?.description ?? "";
}

function author({ name, url, icon_url }, message) {
  const words = url ? link(url, {}, name) : name;
  return h("div", { class: "embed-author" }, icon(icon_url, message, "embed-icon"), h("bdi", {}, words));
}

function fields(list, context) {
  const grid = h("div", { class: "embed-fields" });
  for (const row of rows(list)) {
    for (const field of row) {
      const cell = h(
        "div",
        { class: "embed-field" },
        h("h4", { class: "embed-field-name" }, renderMarkdown(field.name, context, { inline: true })),
        h("div", { class: "embed-field-value md" }, renderMarkdown(field.value, context)),
      );
      cell.style.setProperty("grid-column", `span ${field.inline ? 12 / row.length : 12}`);
      grid.append(cell);
    }
  }
  return grid;
}

/** Fields that stand beside each other: up to three inline ones in a row, every other alone. */
function rows(list) {
  const made = [];
  for (const field of list) {
    const last = made.at(-1);
    const joins = field.inline && last?.[0].inline && last.length < COLUMNS;
    if (joins) last.push(field);
    else made.push([field]);
  }
  return made;
}

function footer({ footer: words, timestamp }, message, context) {
  const text = words?.text ? h("bdi", {}, words.text) : null;
  const time = timestamp ? messageTime(timestamp, context.now()) : null;
  return h("div", { class: "embed-footer" }, icon(words?.icon_url, message, "embed-icon"), text, text && time ? " · " : null, time);
}
