// Menus of messages and modals: texts, people, roles, channels; one choice or several; found by typing.

import { candidate, candidates } from "./candidates.js";
import { h, newId } from "./dom.js";
import { Listbox } from "./listbox.js";

const STRING = 3;
const KINDS = new Map([
  [5, ["user"]],
  [6, ["role"]],
  [7, ["user", "role"]],
  [8, ["channel"]],
]);

/** The component types that are menus. */
export const SELECT_TYPES = [STRING, ...KINDS.keys()];

/**
 * A menu for the component. `label` names it where the component's placeholder does not; `commit(values)` is called
 * when a choice is complete: at once for one of one, when the list closes for one of several. `key` is its
 * `data-key`.
 * Gives `{element, input, values()}`; while `element` has `data-state="pending"` nothing can be chosen.
 */
export function createSelect(component, context, { label = null, key = component.custom_id, commit = () => {}, required = null } = {}) {
  const least = component.min_values ?? 1;
  const most = component.max_values ?? 1;
  const multiple = most > 1;
  const optional = least === 0 || required === false;
  const items = itemSource(component, context);
  let chosen = items.defaults();
  let before = chosen;
  let typing = false;

  const placeholder = component.placeholder || "Make a selection";
  const chips = h("span", { class: "select-chips", id: newId("chosen") });
  const input = h("input", {
    class: "select-input",
    role: "combobox",
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    // Short lists need no keyboard on a phone.
    inputmode: component.type === STRING ? "none" : null,
    "aria-label": label ?? placeholder,
    "aria-autocomplete": "list",
    "aria-haspopup": "listbox",
    "aria-expanded": "false",
    "aria-required": required ? "true" : null,
    "aria-describedby": chips.id,
    "data-key": key,
    disabled: component.disabled,
  });
  const clear = h("button", { class: "select-clear", type: "button", tabindex: "-1", "aria-label": "Clear" }, "×");
  const list = new Listbox({ label: label ?? placeholder, floating: true, multiple, onPick: (item) => pick(item) });
  const element = h("div", { class: "select" }, chips, input, clear, h("span", { class: "select-arrow", "aria-hidden": "true" }), list.element);
  list.serve(input);

  const values = () => [...chosen.keys()];

  function draw() {
    const one = multiple ? undefined : [...chosen.values()][0];
    input.value = one === undefined ? "" : withIcon(one);
    input.placeholder = multiple && chosen.size > 0 ? "" : placeholder;
    chips.replaceChildren(...(multiple ? [...chosen.values()].map((item) => h("span", { class: "select-chip" }, withIcon(item))) : []));
    clear.hidden = multiple || !optional || chosen.size === 0 || component.disabled === true;
    typing = false;
  }

  function open() {
    if (element.dataset.state === "pending" || component.disabled) return;
    if (!list.open) {
      before = chosen;
      input.select();
    }
    refresh();
  }

  function refresh(keepActive = null) {
    const found = items.find(typing ? input.value : "").map((item) => ({
      ...item,
      icon: item.icon ?? "",
      selected: chosen.has(item.key),
      disabled: multiple && chosen.size >= most && !chosen.has(item.key),
    }));
    const first = typing ? 0 : found.findIndex((item) => item.selected);
    const active = keepActive === null ? first : found.findIndex((item) => item.key === keepActive);
    const note = found.length === 0 ? "Nothing found" : multiple ? told() : "";
    list.show(found, { active, note });
  }

  function told() {
    return `${chosen.size} chosen; ${least > 0 ? `choose ${least} to ${most}` : `at most ${most}`}`;
  }

  function pick(item) {
    if (!multiple) {
      chosen = new Map([[item.key, item]]);
      finish(true);
      return;
    }
    chosen = new Map(chosen);
    if (!chosen.delete(item.key)) chosen.set(item.key, item);
    draw();
    refresh(item.key);
  }

  /** Close; what was chosen counts if it is complete, else what was chosen before. */
  function finish(always = false) {
    if (!list.open) return;
    list.hide();
    const complete = chosen.size >= least || (chosen.size === 0 && optional);
    const changed = before.size !== chosen.size || [...chosen.keys()].some((key) => !before.has(key));
    if (!complete) chosen = before;
    draw();
    if (complete && (changed || always)) commit(values());
  }

  function cancel() {
    chosen = before;
    list.hide();
    draw();
  }

  input.addEventListener("click", () => (list.open ? finish() : open()));
  input.addEventListener("input", () => {
    typing = true;
    if (list.open) refresh();
    else open();
  });
  input.addEventListener("blur", () => finish());
  input.addEventListener("keydown", (event) => {
    const pressed = event.key;
    if (pressed === "ArrowDown" || pressed === "ArrowUp") {
      if (list.open) list.move(pressed === "ArrowDown" ? 1 : -1);
      else open();
    } else if (pressed === "Enter") {
      if (list.open && list.active !== null) pick(list.active);
      else if (list.open) finish();
      else open();
    } else if (pressed === "Escape" && list.open) {
      cancel();
    } else if (pressed === "Backspace" && multiple && input.value === "" && chosen.size > 0) {
      if (!list.open) open();
      pick([...chosen.values()].at(-1));
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  clear.addEventListener("click", () => {
    if (element.dataset.state === "pending") return;
    chosen = new Map();
    draw();
    commit([]);
  });
  element.addEventListener("mousedown", (event) => {
    if (event.target === input || list.element.contains(event.target) || event.target === clear) return;
    event.preventDefault();
    input.focus();
    if (list.open) finish();
    else open();
  });
  draw();
  return { element, input, values };
}

function withIcon(item) {
  if (!item.icon) return item.label;
  return item.icon === "#" || item.icon === "@" ? `${item.icon}${item.label}` : `${item.icon} ${item.label}`;
}

/** Where a menu's items come from: its own options, or what the server has. */
function itemSource(component, context) {
  const kinds = KINDS.get(component.type);
  if (kinds === undefined) {
    const items = (component.options ?? []).map(optionItem);
    const find = (typed) => items.filter((item) => item.label.toLowerCase().includes(typed.trim().toLowerCase()));
    const defaults = () => new Map(items.filter((_, index) => component.options[index].default).map((item) => [item.key, item]));
    return { find, defaults };
  }
  const unknown = (id) => ({ key: id, label: "unknown", icon: "" });
  return {
    find: (typed) => candidates(kinds, context, typed, component.channel_types),
    defaults: () => new Map((component.default_values ?? []).map(({ id }) => [id, candidate(kinds, context, id) ?? unknown(id)])),
  };
}

function optionItem(option) {
  const emoji = option.emoji?.id ? `:${option.emoji.name}:` : option.emoji?.name;
  return { key: option.value, label: option.label, description: option.description ?? "", icon: emoji ?? "" };
}
