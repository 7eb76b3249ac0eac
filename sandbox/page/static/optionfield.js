// One option of a command: typed, picked from a list, or completed by the bot while it is being typed.

import { h, newId } from "./dom.js";
import { checked, choiceItem, nested, pickable, takes } from "./options.js";

const AUTOCOMPLETE_AFTER_MS = 250;
const ATTACHMENT = 11;

/** The attributes of a field that a list of suggestions opens at. */
export function combobox(label) {
  return {
    role: "combobox",
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": label,
    "aria-autocomplete": "list",
    "aria-haspopup": "listbox",
    "aria-expanded": "false",
  };
}

/** The value of one option: typed, picked from a list, or completed by the bot. */
export class OptionField {
  #leaf;
  #list;
  #context;
  #others;
  #onText;
  #onStep;
  #onRemove;
  #onLeave;
  #onSend;
  #onChange;
  #picked = null;
  #file = null;
  #chooser = null;
  #timer = 0;
  #asked = 0;
  #input;
  #error = h("span", { class: "option-error", id: newId("problem") });

  constructor(option, leaf, { list, context, others, onText, onStep, onRemove, onLeave, onSend, onChange }) {
    this.option = option;
    this.#leaf = leaf;
    this.#list = list;
    this.#context = context;
    this.#others = others;
    this.#onText = onText;
    this.#onStep = onStep;
    this.#onRemove = onRemove;
    this.#onLeave = onLeave;
    this.#onSend = onSend;
    this.#onChange = onChange;
    this.#input = option.type === ATTACHMENT ? this.#fileButton() : this.#textInput();
    const label = h("span", { class: "option-name" }, option.name, option.required ? h("span", { class: "option-required", title: "required" }, "*") : null);
    const pair = h("span", { class: "option-pair", onclick: () => this.#input.focus() }, label, this.#input);
    this.element = h("span", { class: "option" }, pair, this.#chooser, this.#error);
    this.#fit();
  }

  #attributes() {
    const { name, description, required } = this.option;
    return {
      ...combobox(`${name}: ${description}`),
      class: "option-value",
      "aria-required": required ? "true" : "false",
      "aria-describedby": this.#error.id,
      "data-key": `composer-${name}`,
      onfocus: () => this.#refresh(),
      onclick: () => this.#refresh(),
      onblur: () => this.#onBlur(),
      onkeydown: (event) => this.#onKey(event),
    };
  }

  #textInput() {
    return h("input", { ...this.#attributes(), oninput: () => this.#heard() });
  }

  #fileButton() {
    const chooser = h("input", { type: "file", hidden: true, tabindex: "-1" });
    chooser.addEventListener("change", () => {
      this.#file = chooser.files[0] ?? null;
      button.value = this.#file?.name ?? "";
      this.#fail("");
      this.#fit();
      this.#onStep(1);
    });
    const choose = (event) => {
      if (event.type === "keydown" && event.key !== " ") return;
      event.preventDefault();
      chooser.click();
    };
    const button = h("input", { ...this.#attributes(), readonly: true, placeholder: "choose a file" });
    button.addEventListener("click", choose);
    button.addEventListener("keydown", choose);
    this.#chooser = chooser;
    return button;
  }

  get isEmpty() {
    return this.#input.value.trim() === "" && this.#file === null;
  }

  set(text) {
    this.#picked = null;
    this.#input.value = text;
    this.#fail("");
    this.#fit();
  }

  focus() {
    this.#input.focus();
    const end = this.#input.value.length;
    this.#input.setSelectionRange(end, end);
  }

  /** Ask the bot nothing more, and hear no answer to what was asked. */
  silence() {
    clearTimeout(this.#timer);
    this.#asked += 1;
  }

  destroy() {
    this.silence();
    this.element.remove();
  }

  /** Whether the value can be sent; what is wrong shows at the option. */
  check() {
    const { error = "" } = this.#checked();
    this.#fail(error);
    return error === "";
  }

  /** The option as an interaction carries it. */
  entry() {
    const { name, type } = this.option;
    return { name, type, value: this.#checked().value };
  }

  /** Show what is wrong, and let it be mended. */
  fail(sentence) {
    this.focus();
    this.#fail(sentence);
    this.#refresh();
  }

  #checked() {
    return checked(this.option, this.#input.value, { picked: this.#picked, file: this.#file, context: this.#context() });
  }

  #fail(sentence) {
    if (this.#error.textContent !== sentence) this.#error.textContent = sentence;
    this.#input.setAttribute("aria-invalid", String(sentence !== ""));
    this.element.classList.toggle("option-wrong", sentence !== "");
  }

  /** As wide as what is in it. */
  #fit() {
    const length = [...(this.#input.value || this.#input.placeholder)].length;
    this.#input.style.setProperty("width", `calc(${Math.min(60, Math.max(2, length))}ch + 16px)`);
  }

  #heard() {
    this.#onChange();
    this.#picked = null;
    this.#fail("");
    if (this.#input.value.includes(":") && this.#onText(this.#input.value)) return;
    this.#fit();
    this.#refresh();
  }

  /** Left for another field: what cannot be sent shows at once, what is still empty does not. */
  #onBlur() {
    this.silence();
    if (!this.isEmpty) this.check();
  }

  #refresh() {
    this.#list.serve(this.#input);
    if (this.option.autocomplete) {
      this.#ask();
      return;
    }
    const typed = this.#picked === null ? this.#input.value : "";
    this.#offer(pickable(this.option, typed, this.#context()));
  }

  #offer(items, note = "", isError = false) {
    const head = [`${this.option.name}: ${this.option.description}`, takes(this.option)].filter(Boolean).join(" · ");
    const wrong = this.#error.textContent;
    const nothing = items?.length === 0 && note === "" ? "Nothing fits" : "";
    const offered = (items ?? []).map((item) => ({ ...item, pick: () => this.#pick(item) }));
    const active = offered.findIndex((item) => item.key === this.#picked?.key);
    this.#list.show(offered, { active: Math.max(active, 0), head, note: wrong || note || nothing, isError: isError || wrong !== "" });
  }

  #pick(item) {
    this.#input.value = item.shown ?? item.label;
    this.#picked = item;
    this.#fail("");
    this.#fit();
    this.#onStep(1);
  }

  /** Ask the bot, when typing pauses; only the answer to the last question counts. */
  #ask() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    const question = this.#asked;
    this.#offer([], "Loading options…");
    this.#timer = setTimeout(async () => {
      let items = [];
      let note = "";
      try {
        const choices = await this.#context().onAutocomplete(this.#leaf.command, this.#typedSoFar(), this.option.name);
        items = choices.map(choiceItem);
        note = items.length === 0 ? "No suggestions: write what you like" : "";
      } catch {
        note = "Loading options failed";
      }
      if (question === this.#asked) this.#offer(items, note, note === "Loading options failed");
    }, AUTOCOMPLETE_AFTER_MS);
  }

  /** All options that have a value, this one as the one being typed. */
  #typedSoFar() {
    const { name, type } = this.option;
    const others = this.#others().filter((field) => !field.isEmpty && field.#checked().error === undefined && field.option.type !== ATTACHMENT);
    const focused = { name, type, value: this.#input.value, focused: true };
    return nested(this.#leaf.path, [...others.map((field) => field.entry()), focused]);
  }

  #onKey(event) {
    if (event.isComposing) return;
    const { key } = event;
    const listed = this.#list.open;
    const [start, end] = [this.#input.selectionStart, this.#input.selectionEnd];
    const active = listed ? this.#list.active : null;
    if (listed && (key === "ArrowDown" || key === "ArrowUp")) this.#list.move(key === "ArrowDown" ? 1 : -1);
    else if ((key === "Enter" || (key === "Tab" && !event.shiftKey)) && active !== null && active.key !== this.#picked?.key) active.pick();
    else if (key === "Enter") this.#onSend();
    else if (key === "Tab" && !event.shiftKey) this.#onStep(1);
    else if (key === "Escape" && listed) this.#list.hide();
    else if (key === "Escape") this.#onLeave();
    else if (key === "Backspace" && this.isEmpty) this.#onRemove();
    else if (key === "Backspace" && this.#file !== null) this.#forgetFile();
    else if (key === "ArrowLeft" && start === 0 && end === 0) this.#onStep(-1);
    else if (key === "ArrowRight" && start === this.#input.value.length) this.#onStep(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #forgetFile() {
    this.#file = null;
    this.#chooser.value = "";
    this.set("");
  }
}
