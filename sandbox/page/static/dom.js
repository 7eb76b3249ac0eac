// Elements made by hand: a text is always a text node, never markup.

/**
 * An element with attributes, listeners (names that begin with "on") and children; null children are left out.
 * An attribute that is false, null or undefined is not set; true sets it empty.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

let ids = 0;

/** An id that no other element of the page has. */
export function newId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

/** The address, if it leads to a web page; null for every other scheme and for what is no address. */
export function webAddress(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  return url.protocol === "https:" || url.protocol === "http:" ? url : null;
}

/** A link that opens beside the page and tells the other side nothing; its text alone where it leads nowhere. */
export function link(address, attributes, ...children) {
  const url = webAddress(address);
  if (url === null) return h("span", attributes, ...children);
  return h("a", { title: url.href, ...attributes, href: url.href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

/** What people call a user. */
export function nameOf(user) {
  return user?.global_name ?? user?.username ?? "Unknown user";
}
