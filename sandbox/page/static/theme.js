// Dark, light, or what the machine prefers.

const NEXT = { auto: "dark", dark: "light", light: "auto" };
const NAMES = { auto: "◐ Auto", dark: "● Dark", light: "○ Light" };

/** Makes the buttons go through the themes. */
export function mountTheme(buttons, view) {
  function draw() {
    if (view.theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = view.theme;
    for (const button of buttons) {
      button.textContent = NAMES[view.theme];
      button.setAttribute("aria-label", `Theme: ${view.theme}. Change it`);
    }
  }

  for (const button of buttons) button.addEventListener("click", () => view.change({ theme: NEXT[view.theme] }));
  view.onChange(draw);
  draw();
}
