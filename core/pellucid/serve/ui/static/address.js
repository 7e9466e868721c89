"use strict";
// The settings stand behind the # of the address, which browsers send to no server. What is
// explained never does.

/** The settings that the address says: all as text, except those of the drawing. */
function readAddress() {
  const said = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const drawing = {};
  for (const field of $("drawing").querySelectorAll("[name]")) {
    if (!(field.name in said)) continue;
    const value = said[field.name];
    const choices = [...document.getElementsByName(field.name)].flatMap((it) =>
      it.options ? [...it.options].map((option) => option.value) : it.type === "radio" ? [it.value] : []);
    if (choices.length ? choices.includes(value) : value !== "" && Number.isFinite(Number(value))) {
      drawing[field.name] = field.type === "range" ? Number(value) : value;
    }
  }
  return {...said, drawing: Object.keys(drawing).length ? drawing : null};
}

/** Write the settings that are chosen into the address. */
function writeAddress() {
  const {effort, name} = method();
  const said = new URLSearchParams({
    model: chosen().name, method: name, [effort.setting]: $("effort").value, top_k: $("top-k").value,
    ...state.visualization,
  });
  history.replaceState(null, "", `#${said}`);
}
