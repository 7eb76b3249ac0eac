// Modals: a dialog with text fields, menus, boxes and files, checked before it is sent.

import { h, nameOf, newId } from "./dom.js";
import { renderMarkdown } from "./markdown.js";
import { createSelect, SELECT_TYPES } from "./selects.js";

const ROW = 1;
const TEXT_INPUT = 4;
const TEXT_DISPLAY = 10;
const LABEL = 18;
const FILE_UPLOAD = 19;
const RADIO_GROUP = 21;
const CHECKBOX_GROUP = 22;
const CHECKBOX = 23;
const PARAGRAPH = 2;
const LONGEST_TEXT = 4_000;

/**
 * Show the modal over everything; gives the dialog. It closes when `context.onModalSubmit(modal, fields)` resolves, or
 * when the person leaves it, and gives the focus back to where it was.
 */
export function openModal(modal, context) {
  const fields = [];
  const title = h("h2", { id: newId("modal-title") }, modal.title);
  const problem = h("p", { class: "modal-problem", role: "alert" });
  const submit = h("button", { class: "button", "data-style": "primary", type: "submit" }, "Submit");
  const form = h(
    "form",
    { novalidate: true },
    h("div", { class: "modal-head" }, title, closer("modal-close", "×", "Close")),
    h("p", { class: "modal-from" }, "This form goes to ", h("bdi", {}, nameOf(context.bot)), ". Do not share passwords or other sensitive information."),
    h("div", { class: "modal-body" }, ...(modal.components ?? []).map((component) => draw(component, context, fields))),
    problem,
    h("div", { class: "modal-foot" }, closer("button", "Cancel"), submit),
  );
  const dialog = h("dialog", { class: "modal", "aria-labelledby": title.id }, form);
  const giveBack = rememberFocus();

  function closer(className, text, label = null) {
    return h("button", { class: className, type: "button", "data-style": "secondary", "aria-label": label, onclick: () => dialog.close() }, text);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = fields.filter((field) => !field.check());
    wrong[0]?.focus();
    if (wrong.length > 0 || submit.disabled) return;
    problem.textContent = "";
    submit.disabled = true;
    form.setAttribute("aria-busy", "true");
    try {
      await context.onModalSubmit(modal, Object.fromEntries(fields.map((field) => [field.id, field.read()])));
      dialog.close();
    } catch (error) {
      problem.textContent = error?.message || "Something went wrong. Try again.";
    } finally {
      submit.disabled = false;
      form.removeAttribute("aria-busy");
    }
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    giveBack();
  });
  document.body.append(dialog);
  dialog.showModal();
  fields[0]?.focus();
  return dialog;
}

/** What gives the focus back: to the same element, or to the one that has taken its place in a message drawn anew. */
function rememberFocus() {
  const before = document.activeElement;
  const key = before?.dataset?.key;
  const messageId = before?.closest("[data-message-id]")?.dataset.messageId;
  return () => {
    if (before?.isConnected) {
      before.focus();
      return;
    }
    const message = messageId ? document.querySelector(`[data-message-id="${CSS.escape(messageId)}"]`) : null;
    const successor = key ? message?.querySelector(`[data-key="${CSS.escape(key)}"]`) : null;
    (successor ?? message)?.focus();
  };
}

function draw(component, context, fields) {
  if (component.type === TEXT_DISPLAY) return h("div", { class: "md" }, renderMarkdown(component.content ?? "", context));
  if (component.type === ROW) return h("div", {}, ...(component.components ?? []).map((inner) => field(inner, inner.label ?? "", "", context, fields)));
  if (component.type === LABEL) return field(component.component ?? {}, component.label, component.description ?? "", context, fields);
  return h("div", { class: "component-unknown" }, `A component of type ${component.type} that this page does not know`);
}

/** One labelled control; adds what reads, checks and focuses it to `fields`. */
function field(component, label, description, context, fields) {
  const make = controlOf(component.type);
  if (make === null) return h("div", { class: "component-unknown" }, `A component of type ${component.type} that this page does not know`);
  const required = component.required ?? component.type !== CHECKBOX;
  const error = h("span", { class: "field-error", id: newId("problem") });
  const words = h("span", { class: "field-description", id: newId("words") }, description);
  const name = h("span", { class: "field-label", id: newId("label") }, label, required && component.type !== CHECKBOX ? h("span", { class: "option-required", title: "required" }, " *") : null);
  const control = make(component, { required, label, context, described: `${words.id} ${error.id}`, named: name.id });
  const check = () => {
    const sentence = control.problem();
    if (error.textContent !== sentence) error.textContent = sentence;
    control.input.setAttribute("aria-invalid", String(sentence !== ""));
    return sentence === "";
  };
  control.element.addEventListener("input", () => error.textContent !== "" && check());
  control.element.addEventListener("focusout", () => error.textContent !== "" && check());
  fields.push({ id: component.custom_id, read: control.read, check, focus: () => control.input.focus() });
  return h("div", { class: "field" }, name, description ? words : null, control.element, error);
}

function controlOf(type) {
  if (SELECT_TYPES.includes(type)) return menu;
  return { [TEXT_INPUT]: textInput, [FILE_UPLOAD]: fileUpload, [RADIO_GROUP]: radioGroup, [CHECKBOX_GROUP]: checkboxGroup, [CHECKBOX]: checkbox }[type] ?? null;
}

function textInput(component, { required, described, named }) {
  const { style, value, placeholder } = component;
  const [shortest, longest] = [component.min_length ?? 0, component.max_length ?? LONGEST_TEXT];
  const paragraph = style === PARAGRAPH;
  const input = h(paragraph ? "textarea" : "input", {
    class: "field-text",
    type: paragraph ? null : "text",
    rows: paragraph ? 5 : null,
    placeholder: placeholder ?? null,
    autocomplete: "off",
    "aria-labelledby": named,
    "aria-describedby": described,
    "aria-required": String(required),
    "data-key": component.custom_id,
  });
  input.value = value ?? "";
  const count = h("span", { class: "field-count", "aria-hidden": "true" });
  const length = () => [...input.value].length;
  const showCount = () => {
    const near = paragraph || length() > longest * 0.8;
    count.textContent = near ? `${length()} / ${longest}` : "";
    count.classList.toggle("field-count-over", length() > longest);
  };
  input.addEventListener("input", showCount);
  showCount();
  return {
    input,
    element: h("div", { class: "field-control" }, input, count),
    read: () => input.value,
    problem: () => {
      if (length() === 0) return required ? "This field is required." : "";
      if (length() < shortest) return `Write at least ${shortest} characters; these are ${length()}.`;
      return length() > longest ? `Write at most ${longest} characters; these are ${length()}.` : "";
    },
  };
}

function menu(component, { required, label, context }) {
  const made = createSelect(component, context, { label, required });
  return { input: made.input, element: made.element, read: made.values, problem: () => (required && made.values().length === 0 ? "Choose something." : "") };
}

function fileUpload(component, { required, described, named }) {
  const [least, most] = [component.min_values ?? 1, component.max_values ?? 1];
  const input = h("input", { type: "file", class: "field-file", multiple: most > 1, "aria-labelledby": named, "aria-describedby": described, "data-key": component.custom_id });
  const read = () => [...input.files];
  return {
    input,
    element: input,
    read,
    problem: () => {
      const count = read().length;
      if (count === 0 && !required) return "";
      return count >= Math.max(least, 1) && count <= most ? "" : `Choose ${least === most ? least : `${least} to ${most}`} files.`;
    },
  };
}

function boxes(component, type, { described, named }) {
  const name = newId("choice");
  const inputs = (component.options ?? []).map((option) => h("input", { type, name, value: option.value, checked: option.default }));
  const labels = (component.options ?? []).map((option, index) =>
    h("label", { class: "field-choice" }, inputs[index], h("span", {}, option.label, option.description ? h("small", {}, option.description) : null)),
  );
  const role = type === "radio" ? "radiogroup" : "group";
  const element = h("div", { role, class: "field-choices", "aria-labelledby": named, "aria-describedby": described }, ...labels);
  return { inputs, element, chosen: () => inputs.filter((input) => input.checked).map((input) => input.value) };
}

function radioGroup(component, how) {
  const { inputs, element, chosen } = boxes(component, "radio", how);
  return { input: inputs[0], element, read: () => chosen()[0] ?? null, problem: () => (how.required && chosen().length === 0 ? "Choose one." : "") };
}

function checkboxGroup(component, how) {
  const { inputs, element, chosen } = boxes(component, "checkbox", how);
  const [least, most] = [component.min_values ?? 1, component.max_values ?? inputs.length];
  const problem = () => {
    const count = chosen().length;
    if (count === 0 && !how.required) return "";
    return count >= least && count <= most ? "" : `Choose ${least === most ? least : `${least} to ${most}`}.`;
  };
  return { input: inputs[0], element, read: chosen, problem };
}

function checkbox(component, { described, named }) {
  const input = h("input", { type: "checkbox", checked: component.default, "aria-labelledby": named, "aria-describedby": described, "data-key": component.custom_id });
  return { input, element: h("div", { class: "field-choice" }, input), read: () => input.checked, problem: () => "" };
}
