// Pictures that are made large, and lines that are set off. All else is there without a script.

const dialog = byId("large");
const tiles = [...document.querySelectorAll("button.tile")];
let shown = null;
let before = null; // what "o" goes back to

const siblings = () => [...shown.parentElement.querySelectorAll("button.tile")];

function show(tile) {
  shown = tile;
  const all = siblings();
  const at = all.indexOf(tile);
  const image = tile.querySelector("img");
  const large = byId("large-picture");
  large.src = image.src;
  large.className = image.className;
  large.width = image.width;
  large.height = image.height;
  byId("large-place").textContent = `${tile.closest(".case").querySelector("h3").textContent} · ${at + 1} of ${all.length}`;
  byId("large-name").textContent = tile.querySelector("b").textContent;
  byId("large-number").textContent = tile.querySelector("small").textContent;
  byId("previous").disabled = at === 0;
  byId("next").disabled = at === all.length - 1;
  if (!dialog.open) dialog.showModal();
  if (document.activeElement.disabled || !byId("large").contains(document.activeElement)) byId("large-name").focus();
}

function turn(step) {
  const next = siblings()[siblings().indexOf(shown) + step];
  before = null;
  if (next) show(next);
}

for (const tile of tiles) tile.addEventListener("click", () => { before = null; show(tile); byId("large-name").focus(); });
byId("previous").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
byId("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => shown.focus());
dialog.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) {
    event.preventDefault();
    turn(step);
  } else if (event.key === "o") {
    const [first] = siblings();
    const to = shown === first ? before : first;
    before = shown === first ? null : shown;
    if (to) show(to);
  }
});

const charts = document.querySelector(".charts");
const buttons = [...document.querySelectorAll(".key button")];
for (const button of buttons) {
  const lines = charts.querySelectorAll(`svg [data-candidate="${button.dataset.candidate}"]`);
  const mark = (name, on) => lines.forEach((line) => line.classList.toggle(name, on));
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    mark("picked", on);
    charts.classList.toggle("some", buttons.some((it) => it.getAttribute("aria-pressed") === "true"));
  });
  for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]]) {
    button.addEventListener(event, () => mark("near", on));
  }
}
