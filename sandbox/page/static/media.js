// Pictures and files. Nothing is fetched from elsewhere: a picture of another origin is named, not loaded.

import { h, link, webAddress } from "./dom.js";
import { spoiler } from "./markdown.js";

const IS_SPOILER = 1 << 3;
const SIZES = ["bytes", "KB", "MB", "GB"];

/** `attachment://name` as the address of the message's attachment; every other address as it is. */
export function resolved(url, message) {
  const name = /^attachment:\/\/(.+)$/.exec(url ?? "")?.[1];
  if (name === undefined) return url ?? "";
  return message.attachments?.find((attachment) => attachment.filename === name)?.url ?? "";
}

/** The address of a file that this page's server has; null for every other. */
export function ownAddress(text) {
  let url;
  try {
    url = new URL(text, location.href);
  } catch {
    return null;
  }
  return url.origin === location.origin ? url : null;
}

/**
 * A picture that opens in full when pressed. `media` has `url` and may have `width` and `height`; without `alt` it is
 * told to be a picture and from where.
 */
export function picture(media, message, { alt = "", covered = false, className = "" } = {}) {
  const address = resolved(media?.url, message);
  const own = ownAddress(address);
  const drawn = own === null || address === "" ? placeholder(address, alt) : shown(own, media, alt);
  drawn.classList.add("media");
  if (className) drawn.classList.add(className);
  return covered ? spoiler(drawn) : drawn;
}

function shown(url, media, alt) {
  const image = h("img", {
    src: url.href,
    alt: alt || "Picture without a description",
    loading: "lazy",
    decoding: "async",
    width: media.width ?? null,
    height: media.height ?? null,
  });
  image.addEventListener("error", () => anchor.replaceWith(placeholder(url.href, alt)), { once: true });
  const anchor = h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer", title: alt || "Open the picture" }, image);
  return anchor;
}

function placeholder(address, alt) {
  const where = ownAddress(address) !== null && address !== "" ? "could not be loaded" : `from ${webAddress(address)?.hostname ?? "elsewhere"}, not loaded here`;
  const words = h("span", { class: "media-away-words" }, alt ? `${alt} ` : "", h("small", {}, `Picture ${where}`));
  return link(address, { class: "media-away" }, h("span", { "aria-hidden": "true" }, "🖼"), words);
}

/** A small round or square picture that only decorates; nothing where it is of another origin. */
export function icon(url, message, className) {
  const address = resolved(url, message);
  const own = address === "" ? null : ownAddress(address);
  return own === null ? null : h("img", { src: own.href, alt: "", class: className, loading: "lazy" });
}

/** An attachment of a message: a picture, a recording, or a file to be fetched. */
export function attachment(file, message) {
  const covered = file.filename.startsWith("SPOILER_") || Boolean((file.flags ?? 0) & IS_SPOILER);
  const kind = (file.content_type ?? "").split("/")[0];
  const own = ownAddress(file.url);
  if (kind === "image" && own !== null) return picture(file, message, { alt: file.description ?? "", covered, className: "attachment-picture" });
  const drawn = fileCard(file.filename, file.size, file.url, file.description);
  return covered ? spoiler(drawn) : drawn;
}

/** A file's name and size, and a link to it. */
export function fileCard(name, bytes, url, description = "") {
  const own = ownAddress(url);
  const title = own === null ? h("span", { class: "file-name" }, name) : h("a", { class: "file-name", href: own.href, download: name }, name);
  return h(
    "div",
    { class: "file" },
    h("span", { class: "file-icon", "aria-hidden": "true" }, "📄"),
    h("span", { class: "file-words" }, title, h("small", {}, [sizeText(bytes), description].filter(Boolean).join(" · "))),
  );
}

function sizeText(bytes) {
  if (typeof bytes !== "number") return "";
  let size = bytes;
  let unit = 0;
  for (; size >= 1024 && unit < SIZES.length - 1; unit += 1) size /= 1024;
  return `${unit === 0 ? size : size.toFixed(size < 10 ? 2 : 1)} ${SIZES[unit]}`;
}
