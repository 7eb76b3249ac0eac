// A slash command being filled in, option by option.

import { h } from "./dom.js";
import { OptionField, combobox } from "./optionfield.js";
import { cutAtOptions } from "./options.js";

/** One command being filled in: its name, its options as fields, and a last field that finds further ones. */
export class CommandLine {
  #list;
  #context;
  #onSend;
  #onLeave;
  #onChange;
  #fields = [];
  #tail;

  constructor(leaf, { list, context, onSend, onLeave, onChange }) {
    this.leaf = leaf;
    this.#list = list;
    this.#context = context;
    this.#onSend = onSend;
    this.#onLeave = onLeave;
    this.#onChange = onChange;
    this.#tail = h("input", {
      ...combobox(`Further options of ${leaf.line}`),
      class: "command-tail",
      "data-key": "composer-tail",
      oninput: () => this.#tailHeard(),
      onfocus: () => this.#tailRefresh(),
      onclick: () => this.#tailRefresh(),
      onkeydown: (event) => this.#onTailKey(event),
    });
    const label = `Command ${leaf.line}`;
    this.element = h("div", { class: "command-line", role: "group", "aria-label": label }, h("span", { class: "command-name" }, leaf.line), this.#tail);
  }

  /** Fields for all that is required, and for what `rest` of the line names already. */
  start(rest) {
    for (const option of this.leaf.holder.options ?? []) {
      if (option.required) this.#add(option);
    }
    this.#showTail();
    const last = this.#fill(rest);
    const missing = this.#fields.find((field) => field.isEmpty);
    (last ?? missing ?? this).focus();
  }

  focus() {
    this.#tail.focus();
  }

  /** Out of sight; it can be shown again. */
  putAway() {
    for (const field of this.#fields) field.silence();
    this.element.remove();
  }

  /** The options to be sent; null where something is wrong, which then shows at the option. */
  options() {
    for (const option of this.leaf.holder.options ?? []) {
      if (option.required && !this.#fields.some((field) => field.option === option)) this.#add(option);
    }
    if (this.#tail.value.trim() !== "") {
      this.#tail.focus();
      this.#tailRefresh(`There is no option “${this.#tail.value.trim()}”; choose one of these.`);
      return null;
    }
    const given = this.#fields.filter((field) => field.option.required || !field.isEmpty);
    const wrong = given.filter((field) => !field.check());
    if (wrong.length > 0) {
      wrong[0].focus();
      return null;
    }
    return given.map((field) => field.entry());
  }

  /** Show a refusal that names one of the options at it; false where it names none. */
  refuse(error) {
    const field = this.#fields.find(({ option }) => option.name === error.option);
    field?.fail(error.message);
    return field !== undefined;
  }

  get #left() {
    const given = new Set(this.#fields.map((field) => field.option));
    return (this.leaf.holder.options ?? []).filter((option) => !given.has(option));
  }

  #add(option) {
    const field = new OptionField(option, this.leaf, {
      list: this.#list,
      context: this.#context,
      others: () => this.#fields.filter((other) => other !== field),
      onText: (text) => this.#cutFrom(field, text),
      onStep: (step) => this.#step(field, step),
      onRemove: () => this.#remove(field),
      onLeave: () => this.#onLeave(""),
      onSend: this.#onSend,
      onChange: this.#onChange,
    });
    this.#fields.push(field);
    this.#tail.before(field.element);
    this.#showTail();
    return field;
  }

  #showTail() {
    const count = this.#left.length;
    this.#tail.placeholder = count === 0 ? "" : `+${count} optional`;
  }

  /** Read `name:value name:value` into fields; what is before the first name stays here. Gives the last field. */
  #fill(text) {
    const { before, found } = cutAtOptions(text, [...this.#left, ...this.#empty]);
    this.#tail.value = before.trim();
    return this.#spread(found);
  }

  #spread(found) {
    let last = null;
    for (const [option, value] of found) {
      last = this.#fields.find((field) => field.option === option) ?? this.#add(option);
      last.set(value);
    }
    return last;
  }

  /** The options whose fields nothing is written in. */
  get #empty() {
    return this.#fields.filter((field) => field.isEmpty).map((field) => field.option);
  }

  /** `text` was typed into the field: what is named in it goes to the fields of those names. */
  #cutFrom(field, text) {
    const own = text.startsWith(`${field.option.name}:`) ? [field.option] : [];
    const { before, found } = cutAtOptions(text, [...this.#left, ...this.#empty, ...own]);
    if (found.length === 0) return false;
    field.set(before.trim());
    this.#spread(found).focus();
    return true;
  }

  #step(field, step) {
    const next = this.#fields[this.#fields.indexOf(field) + step];
    if (next !== undefined) next.focus();
    else if (step > 0) this.#tail.focus();
  }

  /** Backspace in an empty field: an optional one goes, then the one before it has the focus. */
  #remove(field) {
    const index = this.#fields.indexOf(field);
    if (field.option.required && index === 0) {
      this.#onLeave(this.leaf.line);
      return;
    }
    if (!field.option.required) {
      this.#fields.splice(index, 1);
      field.destroy();
      this.#showTail();
    }
    (this.#fields[index - 1] ?? this).focus();
  }

  #tailHeard() {
    this.#onChange();
    const last = this.#tail.value.includes(":") ? this.#fill(this.#tail.value) : null;
    if (last !== null) last.focus();
    else this.#tailRefresh();
  }

  #tailRefresh(problem = "") {
    this.#list.serve(this.#tail);
    const typed = this.#tail.value.trim().toLowerCase();
    const items = this.#left
      .filter((option) => option.name.includes(typed) || problem !== "")
      .map((option) => ({ ...optionItem(option), pick: () => this.#pick(option) }));
    if (items.length === 0 && problem === "") this.#list.hide();
    else this.#list.show(items, { active: typed === "" ? -1 : 0, head: "Options", note: problem, isError: problem !== "" });
  }

  #pick(option) {
    this.#tail.value = "";
    this.#add(option).focus();
  }

  #onTailKey(event) {
    if (event.isComposing) return;
    const { key } = event;
    const listed = this.#list.open;
    const atStart = this.#tail.selectionStart === 0 && this.#tail.selectionEnd === 0;
    if (key === "ArrowDown" || key === "ArrowUp") {
      if (listed) this.#list.move(key === "ArrowDown" ? 1 : -1);
      else this.#tailRefresh();
    } else if ((key === "Enter" || (key === "Tab" && !event.shiftKey)) && listed && this.#list.active !== null) {
      this.#list.active.pick();
    } else if (key === "Enter") this.#onSend();
    else if (key === "Escape" && listed) this.#list.hide();
    else if (key === "Escape") this.#onLeave("");
    else if ((key === "Backspace" || key === "ArrowLeft") && atStart) this.#back(key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #back(key) {
    const last = this.#fields.at(-1);
    if (last !== undefined) last.focus();
    else if (key === "Backspace") this.#onLeave(this.leaf.line);
  }
}

function optionItem(option) {
  return {
    key: option.name,
    label: option.name,
    description: option.description,
    tag: option.required ? "required" : "",
  };
}
