// The list that opens at a combobox. The focus stays in the combobox; the list only says what is active.

import { h, newId } from "./dom.js";

const MOST_SHOWN = 50;

/**
 * Items are `{key, label, icon?, hint?, description?, tag?, group?, selected?, disabled?}`, in groups that follow each
 * other; `label` and `description` are texts. `selected` other than undefined makes it a list of several choices.
 * `onPick(item)` is called for a press; keys are the combobox's to hand on (`move`, `active`).
 */
export class Listbox {
  #options = [];
  #active = -1;
  #combobox = null;
  #onPick;
  #floating;
  #head = h("div", { class: "popup-head" });
  #list;
  #note = h("div", { class: "popup-note", role: "status" });
  #follow = (event) => {
    if (event.target !== this.element && !this.element.contains(event.target)) this.#place();
  };

  constructor({ label, onPick, floating = false, multiple = false }) {
    this.#onPick = onPick;
    this.#floating = floating;
    this.#list = h("div", {
      class: "popup-list",
      role: "listbox",
      id: newId("list"),
      "aria-label": label,
      "aria-multiselectable": multiple ? "true" : null,
    });
    // A press must not take the focus from the combobox, which would close the list before it is heard.
    const keepFocus = (event) => event.preventDefault();
    this.element = h("div", { class: "popup", onmousedown: keepFocus }, this.#head, this.#list, this.#note);
    if (floating) this.element.popover = "manual";
    else this.element.hidden = true;
    this.#list.addEventListener("mousemove", (event) => this.#activateAt(event));
    this.#list.addEventListener("click", (event) => this.#pickAt(event));
  }

  get open() {
    return this.#floating ? this.element.matches(":popover-open") : !this.element.hidden;
  }

  /** The active item, or null. */
  get active() {
    return this.#options[this.#active]?.item ?? null;
  }

  /** From now on the list belongs to this combobox. */
  serve(combobox) {
    if (this.#combobox === combobox) return;
    this.#combobox?.removeAttribute("aria-activedescendant");
    this.#combobox?.setAttribute("aria-expanded", "false");
    this.#combobox = combobox;
    combobox.setAttribute("aria-controls", this.#list.id);
    combobox.setAttribute("aria-expanded", String(this.open));
  }

  /** Open with these items; `active` is an index, -1 for none. `head` and `note` are texts above and below. */
  show(items, { active = -1, head = "", note = "", isError = false } = {}) {
    const shown = items.slice(0, MOST_SHOWN);
    let group;
    const nodes = [];
    this.#options = shown.map((item) => {
      if (item.group !== undefined && item.group !== group) nodes.push(groupHead((group = item.group)));
      const node = optionNode(item);
      nodes.push(node);
      return { item, node };
    });
    this.#list.replaceChildren(...nodes);
    const more = items.length > shown.length ? `${items.length - shown.length} more: type to find them` : "";
    setText(this.#head, head);
    setText(this.#note, note || more);
    this.#note.classList.toggle("popup-error", isError);
    this.#open();
    this.#activate(Math.min(active, shown.length - 1));
  }

  hide() {
    if (!this.open) return;
    if (this.#floating) {
      this.element.hidePopover();
      window.removeEventListener("scroll", this.#follow, true);
      window.removeEventListener("resize", this.#follow);
    } else {
      this.element.hidden = true;
    }
    this.#active = -1;
    this.#combobox?.setAttribute("aria-expanded", "false");
    this.#combobox?.removeAttribute("aria-activedescendant");
  }

  /** Make the next (1) or the one before (-1) active, round and round; past disabled ones. */
  move(step) {
    const count = this.#options.length;
    let index = this.#active;
    for (let tried = 0; tried < count; tried += 1) {
      index = index === -1 ? (step > 0 ? 0 : count - 1) : (index + step + count) % count;
      if (!this.#options[index].item.disabled) break;
    }
    this.#activate(index);
  }

  #open() {
    if (!this.open) {
      if (this.#floating) {
        this.element.showPopover();
        window.addEventListener("scroll", this.#follow, true);
        window.addEventListener("resize", this.#follow);
      } else {
        this.element.hidden = false;
      }
      this.#combobox?.setAttribute("aria-expanded", "true");
    }
    if (this.#floating) this.#place();
  }

  /** Under the combobox, or above it where there is more room. */
  #place() {
    const field = this.element.parentElement?.getBoundingClientRect();
    if (field === undefined) return;
    const below = window.innerHeight - field.bottom - 8;
    const above = field.top - 8;
    const upwards = below < 220 && above > below;
    const { style } = this.element;
    style.setProperty("left", `${Math.max(4, field.left)}px`);
    style.setProperty("width", `${Math.min(field.width, window.innerWidth - 8)}px`);
    style.setProperty("max-height", `${Math.min(320, upwards ? above : below)}px`);
    style.setProperty("top", upwards ? "auto" : `${field.bottom + 4}px`);
    style.setProperty("bottom", upwards ? `${window.innerHeight - field.top + 4}px` : "auto");
  }

  #activate(index) {
    const before = this.#options[this.#active]?.node;
    before?.classList.remove("active");
    this.#active = index;
    for (const { item, node } of this.#options) {
      if (item.selected === undefined) node.setAttribute("aria-selected", "false");
    }
    const option = this.#options[index];
    if (option === undefined) {
      this.#combobox?.removeAttribute("aria-activedescendant");
      return;
    }
    option.node.classList.add("active");
    if (option.item.selected === undefined) option.node.setAttribute("aria-selected", "true");
    option.node.scrollIntoView({ block: "nearest" });
    this.#combobox?.setAttribute("aria-activedescendant", option.node.id);
  }

  #at(event) {
    const node = event.target.closest("[role=option]");
    return node === null ? -1 : this.#options.findIndex((option) => option.node === node);
  }

  #activateAt(event) {
    const index = this.#at(event);
    if (index !== -1 && index !== this.#active && !this.#options[index].item.disabled) this.#activate(index);
  }

  #pickAt(event) {
    const item = this.#options[this.#at(event)]?.item;
    if (item !== undefined && !item.disabled) this.#onPick(item);
  }
}

function groupHead(text) {
  return h("div", { class: "popup-group", role: "presentation" }, text);
}

function optionNode(item) {
  return h(
    "div",
    {
      class: "popup-option",
      role: "option",
      id: newId("option"),
      "aria-selected": item.selected === undefined ? "false" : String(item.selected),
      "aria-disabled": item.disabled ? "true" : null,
    },
    item.icon ? h("span", { class: "popup-icon", "aria-hidden": "true" }, item.icon) : null,
    h(
      "span",
      { class: "popup-words" },
      h("span", { class: "popup-label" }, item.label, item.hint ? h("span", { class: "popup-hint" }, ` ${item.hint}`) : null),
      item.description ? h("span", { class: "popup-description" }, item.description) : null,
    ),
    item.tag ? h("span", { class: "popup-tag" }, item.tag) : null,
    item.selected ? h("span", { class: "popup-check", "aria-hidden": "true" }, "✓") : null,
  );
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === "";
}
