// What every page has: its elements by their names, and the button of light and dark.

const byId = (id) => document.getElementById(id);

/** An element of a drawing, for which HTML has its own name space. */
function drawing(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

const icons = {
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 1 1 0 18",
  light: "M12 7a5 5 0 1 0 0 10 5 5 0 1 0 0-10M12 1v3M12 20v3M1 12h3M20 12h3M4 4l2 2M18 18l2 2M4 20l2-2M18 6l2-2",
  dark: "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10",
};

function icon(path, filled = false) {
  const svg = drawing("svg", { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true", "stroke-linecap": "round",
    fill: filled ? "currentColor" : "none", stroke: "currentColor", "stroke-width": 2 });
  svg.append(drawing("path", { d: path }));
  return svg;
}

function theme(chosen) {
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  const said = { auto: "as the system", light: "light", dark: "dark" }[chosen];
  byId("theme").replaceChildren(icon(icons[chosen], chosen === "dark"));
  byId("theme").setAttribute("aria-label", `Colours: ${said}`);
  byId("theme").title = `Colours: ${said}`;
}

// From disk, some browsers keep nothing for a page.
const remembered = { get() { try { return localStorage.getItem("pellucid-theme"); } catch { return null; } },
  set(value) { try { localStorage.setItem("pellucid-theme", value); } catch { /* then not */ } } };
const themes = ["auto", "light", "dark"];
let chosenTheme = themes.includes(remembered.get()) ? remembered.get() : "auto";
theme(chosenTheme);
byId("theme").addEventListener("click", () => {
  chosenTheme = themes[(themes.indexOf(chosenTheme) + 1) % 3];
  remembered.set(chosenTheme);
  theme(chosenTheme);
});
