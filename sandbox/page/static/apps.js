// The menu of a message: what the app does with it.

import { h } from "./dom.js";

const ON_MESSAGES = 3;
const GAP_PX = 4;

/** The commands that the person can choose for messages where they are; none where they may not write, as in Discord. */
export function commandsOnMessages({ commands, mayWrite }) {
  return mayWrite ? commands.filter((command) => command.type === ON_MESSAGES) : [];
}

/** One menu for all messages; `choose(message, command)` is called for a choice. */
export function mountApps(choose) {
  const menu = h("div", { class: "popup apps", role: "menu", "aria-label": "Apps for this message", popover: "manual" });
  let message = null;
  let opener = null;

  document.body.append(menu);
  menu.addEventListener("keydown", onKey);
  menu.addEventListener("contextmenu", (event) => event.preventDefault());
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget !== null && !menu.contains(relatedTarget)) close();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (isOpen() && !menu.contains(target) && !opener.contains(target)) close();
  });

  function isOpen() {
    return menu.matches(":popover-open");
  }

  /** Open it with the commands, at the button or where the pointer is; false where there is nothing to choose. */
  function open(commands, itsMessage, button, pointer = null) {
    const again = isOpen() && opener === button && pointer === null;
    if (isOpen()) leave();
    if (again || commands.length === 0) return false;
    message = itsMessage;
    opener = button;
    menu.replaceChildren(h("div", { class: "apps-head", "aria-hidden": "true" }, "Apps"), ...commands.map(item));
    menu.showPopover();
    opener.setAttribute("aria-expanded", "true");
    place(pointer);
    items()[0].focus();
    return true;
  }

  function item(command) {
    const pick = () => {
      const chosen = message;
      leave();
      choose(chosen, command);
    };
    const hover = ({ currentTarget }) => currentTarget.focus();
    return h("button", { class: "apps-item", type: "button", role: "menuitem", tabindex: "-1", onclick: pick, onmousemove: hover }, command.name);
  }

  function close() {
    menu.hidePopover();
    opener.setAttribute("aria-expanded", "false");
  }

  /** Close, and go back to the message's button; an edit may have put another in its place. */
  function leave() {
    close();
    const now = document.querySelector(`.message[data-message-id="${CSS.escape(message.id)}"] .message-apps`);
    (now ?? document.getElementById("scroll")).focus({ preventScroll: true });
  }

  function place(pointer) {
    const from = opener.getBoundingClientRect();
    const [x, y, upTo] = pointer === null ? [from.right - menu.offsetWidth, from.bottom + GAP_PX, from.top - GAP_PX] : [pointer.clientX, pointer.clientY, pointer.clientY];
    const isBelow = y + menu.offsetHeight + GAP_PX <= window.innerHeight;
    const left = Math.min(x, window.innerWidth - menu.offsetWidth - GAP_PX);
    menu.style.setProperty("left", `${Math.max(GAP_PX, left)}px`);
    menu.style.setProperty("top", `${Math.max(GAP_PX, isBelow ? y : upTo - menu.offsetHeight)}px`);
  }

  function items() {
    return [...menu.querySelectorAll("[role=menuitem]")];
  }

  function onKey(event) {
    const all = items();
    const at = all.indexOf(document.activeElement);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    const { key } = event;
    event.stopPropagation();
    const isLetter = key.length === 1 && key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (key === "Tab" || key === "Escape") leave();
    else if (key in steps) all.at(steps[key] % all.length).focus();
    else if (isLetter) following(all, at, key)?.focus();
    else return;
    // Tab goes on from the message's button.
    if (key !== "Tab") event.preventDefault();
  }

  return { open };
}

/** The next that begins with the letter, round and round. */
function following(all, at, letter) {
  const inTurn = [...all.slice(at + 1), ...all.slice(0, at + 1)];
  return inTurn.find((one) => one.textContent.toLowerCase().startsWith(letter.toLowerCase()));
}
