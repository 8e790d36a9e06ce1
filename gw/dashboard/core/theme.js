// Light, dark, or as the system says.
import { effect, signal } from "./html.js";

const KEY = "gw-theme";
export const theme = signal(localStorage.getItem(KEY) || "system");
const dark = matchMedia("(prefers-color-scheme: dark)");
export const isDark = signal(false);

const apply = () => {
  isDark.value = theme.value === "dark" || (theme.value === "system" && dark.matches);
  document.documentElement.dataset.theme = isDark.value ? "dark" : "light";
};
dark.addEventListener("change", apply);
effect(() => {
  localStorage.setItem(KEY, theme.value);
  apply();
});

export function turnTheme() {
  theme.value = { system: isDark.value ? "light" : "dark", light: "dark", dark: "light" }[theme.value] || "system";
}
