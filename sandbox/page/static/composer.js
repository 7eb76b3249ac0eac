// Where people write: text with mentions, and slash commands whose options are filled in one by one.

import { candidates } from "./candidates.js";
import { h, newId } from "./dom.js";
import { Listbox } from "./listbox.js";
import { begun, checked, choiceItem, cutAtOptions, fitting, nested, pickable, sendable, takes } from "./options.js";

const AUTOCOMPLETE_AFTER_MS = 250;
const LONGEST_MESSAGE = 2_000;
const COUNT_FROM = 1_800;
const ATTACHMENT = 11;

/** The composer in `container`: `{setContext, focus, prefill, destroy}`. */
export function mountComposer(container, context) {
  const composer = new Composer(context);
  container.append(composer.element);
  return {
    setContext: (next) => composer.setContext(next),
    focus: () => composer.focus(),
    prefill: (line) => composer.prefill(line),
    destroy: () => composer.destroy(),
  };
}

class Composer {
  #context;
  #place;
  #commands;
  #all;
  #drafts = new Map();
  #busy = false;
  #text;
  #command = null;
  #list = new Listbox({ label: "Suggestions", onPick: (item) => item.pick() });
  #error = h("div", { class: "composer-error", role: "alert" });
  #count = h("span", { class: "composer-count", "aria-live": "polite" });
  #send = h("button", { class: "composer-send", type: "button", "aria-label": "Send" }, "➤");
  #box;

  constructor(context) {
    this.#take(context);
    this.#text = new TextField({
      list: this.#list,
      context: () => this.#context,
      commands: () => this.#all,
      onCommand: (leaf, rest) => this.#begin(leaf, rest),
      onSend: () => this.#submit(),
      onChange: () => this.#changed(),
    });
    this.#box = h("div", { class: "composer-box" }, this.#text.element, this.#count, this.#send);
    this.element = h("div", { class: "composer" }, this.#list.element, this.#error, this.#box);
    this.#send.addEventListener("click", () => this.#submit());
    this.#box.addEventListener("mousedown", (event) => {
      if (event.target !== this.#box && !event.target.classList.contains("command-line")) return;
      event.preventDefault();
      this.focus();
    });
    this.element.addEventListener("focusout", (event) => {
      if (!this.element.contains(event.relatedTarget)) this.#list.hide();
    });
    this.#show();
  }

  setContext(context) {
    const [place, commands] = [this.#place, this.#commands];
    this.#take(context);
    if (this.#place !== place) {
      this.#drafts.set(place, this.#text.value);
      this.#say("");
      this.#leaveCommand(this.#drafts.get(this.#place) ?? "", { focus: false });
    } else if (this.#command !== null && !this.#all.some((leaf) => isSame(leaf, this.#command.leaf))) {
      this.#leaveCommand("", { focus: this.#hasFocus });
    }
    this.#show();
    // The bot may register its commands while somebody is typing one.
    if (this.#commands !== commands && this.#command === null && this.#hasFocus && this.#text.value.startsWith("/")) {
      this.#text.refresh();
    }
  }

  /** The context may be the object that it was, changed. */
  #take(context) {
    this.#context = context;
    this.#place = `${context.channel?.id} ${context.me?.id}`;
    if (this.#commands !== context.commands) this.#all = sendable(context.commands ?? []);
    this.#commands = context.commands;
  }

  focus() {
    (this.#command ?? this.#text).focus();
  }

  prefill(line) {
    if (this.#context.mayWrite === false) return;
    if (this.#command !== null) this.#leaveCommand("");
    this.#text.set(line);
    this.#text.focus();
    this.#changed();
    this.#text.refresh();
  }

  destroy() {
    this.#command?.destroy();
    this.element.remove();
  }

  get #hasFocus() {
    return this.element.contains(document.activeElement);
  }

  /** What is drawn from the context alone. */
  #show() {
    const { mayWrite = true, whyNotWrite = "", channel } = this.#context;
    const place = channel?.name ? `#${channel.name}` : "the bot";
    this.#text.allow(mayWrite, mayWrite ? `Message ${place}` : whyNotWrite);
    this.element.classList.toggle("composer-off", !mayWrite);
    if (!mayWrite) {
      this.#list.hide();
      if (this.#command !== null) this.#leaveCommand("", { focus: false });
    }
    this.#changed();
  }

  #changed() {
    const length = this.#command === null ? this.#text.length : 0;
    this.#count.textContent = length > COUNT_FROM ? String(LONGEST_MESSAGE - length) : "";
    this.#count.classList.toggle("composer-count-over", length > LONGEST_MESSAGE);
    this.#send.disabled = this.#context.mayWrite === false || (this.#command === null && length === 0);
    if (length > 0) this.#say("");
  }

  #say(sentence) {
    if (this.#error.textContent !== sentence) this.#error.textContent = sentence;
  }

  #begin(leaf, rest) {
    this.#say("");
    this.#command = new CommandLine(leaf, {
      list: this.#list,
      context: () => this.#context,
      onSend: () => this.#submit(),
      onLeave: (text) => this.#leaveCommand(text),
      onChange: () => this.#say(""),
    });
    this.#text.set("");
    this.#text.element.hidden = true;
    this.#box.prepend(this.#command.element);
    this.#command.start(rest);
    this.#changed();
  }

  #leaveCommand(text, { focus = true } = {}) {
    this.#command?.destroy();
    this.#command = null;
    this.#list.hide();
    this.#text.element.hidden = false;
    this.#text.set(text);
    if (focus) {
      this.#text.focus();
      if (text !== "") this.#text.refresh();
    }
    this.#changed();
  }

  async #submit() {
    if (this.#busy || this.#context.mayWrite === false) return;
    const command = this.#command;
    if (command === null) {
      await this.#sendText();
      return;
    }
    const options = command.options();
    if (options === null) return;
    this.#say("");
    await this.#whileBusy(
      () => this.#context.onCommand(command.leaf.command, nested(command.leaf.path, options)),
      () => this.#command === command && this.#leaveCommand("", { focus: this.#hasFocus }),
      (error) => command.refuse(error) || this.#say(error.message || "The command could not be sent."),
    );
  }

  async #sendText() {
    const text = this.#text.value.trim();
    if (text === "") return;
    if ([...text].length > LONGEST_MESSAGE) {
      this.#say(`A message has at most ${LONGEST_MESSAGE} characters; this one has ${[...text].length}.`);
      return;
    }
    await this.#whileBusy(
      () => this.#context.onSay(text),
      () => {
        this.#text.set("");
        this.#list.hide();
        this.#changed();
      },
      (error) => this.#say(error.message || "The message could not be sent."),
    );
  }

  async #whileBusy(send, onDone, onFailed) {
    this.#busy = true;
    this.element.setAttribute("aria-busy", "true");
    try {
      await send();
    } catch (error) {
      onFailed(error);
      return;
    } finally {
      this.#busy = false;
      this.element.removeAttribute("aria-busy");
    }
    onDone();
  }
}

function isSame(one, other) {
  return one.command.id === other.command.id && one.line === other.line;
}

// -- text

/** An editable line or more; mentions stand in it as single pieces. Completes commands, @people, @roles, #channels. */
class TextField {
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

  set(text) {
    this.element.textContent = text;
    this.element.classList.toggle("empty", text === "");
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
    if (text === "\n" && event.inputType?.startsWith("delete")) this.set("");
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

// -- a command

/** One command being filled in: its name, its options as fields, and a last field that finds further ones. */
class CommandLine {
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

  destroy() {
    for (const field of this.#fields) field.destroy();
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

function combobox(label) {
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

function optionItem(option) {
  return {
    key: option.name,
    label: option.name,
    description: option.description,
    tag: option.required ? "required" : "",
  };
}

/** The value of one option: typed, picked from a list, or completed by the bot. */
class OptionField {
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
    this.element = h("span", { class: "option" }, h("span", { class: "option-pair", onclick: () => this.#input.focus() }, label, this.#input), this.#error);
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
    this.chooser = chooser;
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

  destroy() {
    clearTimeout(this.#timer);
    this.#asked += 1;
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
    this.#input.style.setProperty("width", `${Math.min(60, Math.max(2, length + 1))}ch`);
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
    clearTimeout(this.#timer);
    this.#asked += 1;
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
    this.chooser.value = "";
    this.set("");
  }
}
