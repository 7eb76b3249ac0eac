// Where people write: text with mentions, or a slash command; sends what is written.

import { CommandLine } from "./commandline.js";
import { h } from "./dom.js";
import { Listbox } from "./listbox.js";
import { nested, sendable } from "./options.js";
import { TextField } from "./textfield.js";

const LONGEST_MESSAGE = 2_000;
const COUNT_FROM = 1_800;
const DIRECT = 1;

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
      this.#drafts.set(place, this.#text.contents);
      this.#say("");
      this.#leaveCommand(this.#drafts.get(this.#place) ?? [], { focus: false });
    } else if (this.#command !== null && !this.#all.some((leaf) => isSame(leaf, this.#command.leaf))) {
      this.#leaveCommand([], { focus: this.#hasFocus });
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
    if (this.#command !== null) this.#leaveCommand([]);
    this.#text.set([line]);
    this.#text.focus();
    this.#changed();
    this.#text.refresh();
  }

  destroy() {
    this.#command?.putAway();
    this.element.remove();
  }

  get #hasFocus() {
    return this.element.contains(document.activeElement);
  }

  /** What is drawn from the context alone. */
  #show() {
    const { mayWrite = true, whyNotWrite = "", channel } = this.#context;
    const place = channel?.type === DIRECT ? `@${channel.name}` : `#${channel?.name}`;
    this.#text.allow(mayWrite, mayWrite ? `Message ${place}` : whyNotWrite);
    this.element.classList.toggle("composer-off", !mayWrite);
    if (!mayWrite) {
      this.#list.hide();
      if (this.#command !== null) this.#leaveCommand([], { focus: false });
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
      onLeave: (text) => this.#leaveCommand(text === "" ? [] : [text]),
      onChange: () => this.#say(""),
    });
    this.#showCommand();
    this.#command.start(rest);
    this.#changed();
  }

  #showCommand() {
    this.#text.set([]);
    this.#text.element.hidden = true;
    this.#box.prepend(this.#command.element);
  }

  /** Back to text, with these contents. */
  #leaveCommand(contents, { focus = true } = {}) {
    this.#command?.putAway();
    this.#command = null;
    this.#list.hide();
    this.#text.element.hidden = false;
    this.#text.set(contents);
    if (focus) {
      this.#text.focus();
      if (contents.length > 0) this.#text.refresh();
    }
    this.#changed();
  }

  #submit() {
    if (this.#context.mayWrite === false) return;
    if (this.#command === null) this.#sendText();
    else this.#sendCommand(this.#command);
  }

  async #sendCommand(command) {
    const options = command.options();
    if (options === null) return;
    const back = this.#clear();
    try {
      await this.#context.onCommand(command.leaf.command, nested(command.leaf.path, options));
    } catch (error) {
      const shown = back(() => {
        this.#command = command;
        this.#showCommand();
        command.focus();
        this.#changed();
      });
      if (!shown || !command.refuse(error)) this.#say(error.message || "The command could not be sent.");
    }
  }

  async #sendText() {
    const text = this.#text.value.trim();
    const contents = this.#text.contents;
    if (text === "") return;
    if ([...text].length > LONGEST_MESSAGE) {
      this.#say(`A message has at most ${LONGEST_MESSAGE} characters; this one has ${[...text].length}.`);
      return;
    }
    const back = this.#clear();
    try {
      await this.#context.onSay(text);
    } catch (error) {
      back(() => this.#leaveCommand(contents));
      this.#say(error.message || "The message could not be sent.");
    }
  }

  /**
   * Make room at once for what is typed next. Gives a function that puts back what was refused, if nothing was typed
   * meanwhile and the place is the same; it says whether it did.
   */
  #clear() {
    const place = this.#place;
    this.#say("");
    this.#leaveCommand([], { focus: this.#hasFocus });
    return (putBack) => {
      const isFree = this.#place === place && this.#command === null && this.#text.value === "";
      if (isFree) putBack();
      return isFree;
    };
  }
}

function isSame(one, other) {
  return one.command.id === other.command.id && one.line === other.line;
}
