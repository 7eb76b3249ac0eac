// Text with mentions, as it is being written; a slash at its beginning looks for a command.

import { candidates } from "./candidates.js";
import { h } from "./dom.js";
import { begun, fitting } from "./options.js";

/** An editable line or more; mentions stand in it as single pieces. Completes commands, @people, @roles, #channels. */
export class TextField {
  #list;
  #context;
  #commands;
  #onCommand;
  #onSend;
  #onChange;

  constructor({ list, context, commands, onCommand, onSend, onChange }) {
    this.#list = list;
    this.#context = context;
    this.#commands = commands;
    this.#onCommand = onCommand;
    this.#onSend = onSend;
    this.#onChange = onChange;
    this.element = h("div", {
      class: "composer-text",
      role: "combobox",
      "aria-label": "Message",
      "aria-autocomplete": "list",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      spellcheck: "false",
      "data-key": "composer",
      tabindex: "0",
      oninput: (event) => this.#heard(event),
      onkeydown: (event) => this.#onKey(event),
      onfocus: () => list.serve(this.element),
      onclick: () => this.refresh(),
    });
  }

  /** What is written; mentions as `<@1>`. */
  get value() {
    return readText(this.element).replaceAll("\u00a0", " ");
  }

  get length() {
    return [...this.value.trim()].length;
  }

  /** The texts and mentions that it holds, to be set again. */
  get contents() {
    return [...this.element.childNodes];
  }

  set(contents) {
    this.element.replaceChildren(...contents);
    this.element.classList.toggle("empty", contents.length === 0);
  }

  allow(allowed, sentence) {
    const editable = allowed ? "plaintext-only" : "false";
    if (this.element.getAttribute("contenteditable") !== editable) this.element.setAttribute("contenteditable", editable);
    this.element.dataset.placeholder = sentence;
    this.element.setAttribute("aria-label", sentence);
    this.element.setAttribute("aria-disabled", String(!allowed));
    this.element.classList.toggle("empty", this.value === "");
  }

  focus() {
    this.element.focus();
    const caret = document.getSelection();
    caret.selectAllChildren(this.element);
    caret.collapseToEnd();
  }

  #heard(event) {
    const text = this.value;
    // What browsers leave when everything was deleted.
    if (text === "\n" && event.inputType?.startsWith("delete")) this.set([]);
    this.element.classList.toggle("empty", text === "");
    this.#onChange();
    this.refresh();
  }

  /** Show what fits what is typed; a command that is named in full begins. */
  refresh() {
    const text = this.value;
    this.#list.serve(this.element);
    const command = text.startsWith("/") ? begun(this.#commands(), text) : null;
    if (command !== null) {
      this.#onCommand(command.leaf, command.rest);
      return;
    }
    const items = text.startsWith("/") ? this.#commandItems(text.slice(1)) : this.#mentionItems();
    if (items.length === 0) this.#list.hide();
    else this.#list.show(items, { active: 0, head: text.startsWith("/") ? "Commands" : "Mentions" });
  }

  #commandItems(typed) {
    const { bot } = this.#context();
    return fitting(this.#commands(), typed).map((leaf) => ({
      key: leaf.line,
      label: leaf.line,
      hint: (leaf.holder.options ?? []).map((option) => option.name).slice(0, 4).join("  "),
      description: leaf.holder.description,
      tag: bot?.username ?? "",
      pick: () => this.#onCommand(leaf, ""),
    }));
  }

  #mentionItems() {
    const typed = this.#typedMention();
    if (typed === null) return [];
    const kinds = typed.word.startsWith("#") ? ["channel"] : ["user", "role"];
    return candidates(kinds, this.#context(), typed.word).map((item) => ({
      ...item,
      pick: () => this.#insert(typed, item),
    }));
  }

  /** The `@word` or `#word` that ends at the caret, and where it stands; null where there is none. */
  #typedMention() {
    const caret = document.getSelection();
    const node = caret.focusNode;
    if (!caret.isCollapsed || node?.nodeType !== Node.TEXT_NODE || !this.element.contains(node)) return null;
    const word = /(?:^|\s)([@#][^\s@#]{0,32})$/.exec(node.data.slice(0, caret.focusOffset))?.[1];
    return word === undefined ? null : { node, word, end: caret.focusOffset };
  }

  #insert({ node, word, end }, item) {
    const range = document.createRange();
    range.setStart(node, end - word.length);
    range.setEnd(node, end);
    range.deleteContents();
    const sigil = item.mention.startsWith("<#") ? "#" : "@";
    const piece = h("span", { class: "mention", contenteditable: "false", "data-mention": item.mention }, `${sigil}${item.label}`);
    const space = document.createTextNode("\u00a0");
    range.insertNode(space);
    range.insertNode(piece);
    document.getSelection().collapse(space, 1);
    this.element.classList.remove("empty");
    this.#list.hide();
    this.#onChange();
  }

  #onKey(event) {
    if (event.isComposing) return;
    const { key } = event;
    const listed = this.#list.open;
    if (listed && (key === "ArrowDown" || key === "ArrowUp")) this.#list.move(key === "ArrowDown" ? 1 : -1);
    else if (listed && (key === "Enter" || (key === "Tab" && !event.shiftKey)) && this.#list.active !== null) this.#list.active.pick();
    else if (listed && key === "Escape") this.#list.hide();
    else if (key === "Enter" && !event.shiftKey) this.#onSend();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function readText(parent) {
  let text = "";
  for (const node of parent.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) text += node.data;
    else if (node.dataset?.mention) text += node.dataset.mention;
    else if (node.localName === "br") text += "\n";
    else text += readText(node);
  }
  return text;
}
