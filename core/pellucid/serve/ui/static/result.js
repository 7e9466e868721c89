"use strict";
// What was explained: labels, pictures, words and bars.

const format = (score) => score === 0 ? "0"
  : Math.abs(score) >= 1e-3 && Math.abs(score) < 1e4 ? score.toPrecision(4) : score.toExponential(2);

const signed = (value) => (value < 0 ? "−" : "+") + format(Math.abs(value));

function made(name, attributes, ...children) {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children);
  return element;
}

function showLabels(labels) {
  const focused = $("labels").contains(document.activeElement);
  state.label = Math.min(state.label, labels.length - 1);
  $("labels").replaceChildren(...labels.map((label, i) => made("label", {},
    made("input", {type: "radio", name: "label", value: i, checked: i === state.label}),
    made("span", {}, made("b", {textContent: label.name}), made("small", {textContent: format(label.score)})))));
  if (focused) $("labels").querySelector("input:checked").focus();
}

function showPictures(found, label) {
  // A series has no other picture than the one that is drawn of it.
  $("original").closest("figure").hidden = !found.original;
  if (found.original) $("original").src = found.original;
  $("overlay").src = found.overlay;
  $("overlay").alt = `What speaks for ${label.name} in the ${found.original ? "picture" : "series"}`;
  for (const id of ["original", "overlay"]) $(id).classList.toggle("small", found.width < 128);
  $("caption").textContent = found.empty ? `Nothing has this polarity for ${label.name}.`
    : `${label.name}: ${label.quality}`;
}

function showTexts(texts, label) {
  const most = Math.max(...texts.flatMap((text) => text.words.map((it) => Math.abs(it.value))), 1e-300);
  $("texts").replaceChildren(...texts.map((text) => {
    const shown = made("p", {className: "text"});
    for (const {gap, word, value} of text.words) {
      const span = made("span", {textContent: word, title: signed(value), className: value < 0 ? "against" : "for"});
      span.style.setProperty("--share", `${(70 * Math.abs(value) / most).toFixed(1)}%`);
      shown.append(gap, span);
    }
    shown.append(text.rest);
    return texts.length > 1 ? made("section", {}, made("h2", {textContent: text.name}), shown) : shown;
  }), made("p", {className: "key"}, made("span", {className: "for", textContent: `for ${label.name}`}), " ",
    made("span", {className: "against", textContent: "against"})));
}

function showBars(bars, label) {
  const most = Math.max(...bars.map((bar) => Math.abs(bar.value)), 1e-300);
  const total = (name, value) => made("tr", {}, made("th", {scope: "row", textContent: name}),
    made("td"), made("td", {className: "number", textContent: format(value)}));
  $("bars").tHead.replaceChildren(total(`${label.name} at the baseline`, label.baseline));
  $("bars").tFoot.replaceChildren(total(`${label.name} here`, label.score));
  $("bars").tBodies[0].replaceChildren(...bars.map((bar) => {
    const head = made("th", {scope: "row"}, bar.name);
    if (bar.given !== null) head.append(made("small", {textContent: ` = ${bar.given}`}));
    return made("tr", {}, head, made("td", {}, drawnBar(bar.value, most)),
      made("td", {className: "number", textContent: signed(bar.value)}));
  }));
}

function drawnBar(value, most) {
  const width = 50 * Math.abs(value) / most;
  const svg = drawing("svg", {viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"});
  svg.append(
    drawing("rect", {x: value < 0 ? 50 - width : 50, y: 1, width, height: 8, class: value < 0 ? "against" : "for"}),
    drawing("line", {x1: 50, x2: 50, y1: 0, y2: 10, "vector-effect": "non-scaling-stroke"}));
  return svg;
}

function show(found) {
  $("error").hidden = $("empty").hidden = true;
  $("found").hidden = false;
  showLabels(found.labels);
  const label = found.labels[state.label];
  const words = found.texts?.length > 0;
  $("pictures").hidden = !found.overlay;
  $("texts").hidden = !words;
  $("bars").hidden = Boolean(found.overlay);
  if (found.overlay) {
    showPictures(found, label);
    if (found.visualization && !state.visualization) showVisualization(found.visualization);
  } else {
    showTexts(found.texts, label);
    showBars(found.bars, label);
  }
  $("warnings").replaceChildren(...found.warnings.map((sentence) => made("li", {textContent: sentence})));
  $("status").textContent = `${label.name} ${format(label.score)}, baseline ${format(label.baseline)}.`;
}

/** Show nothing of what was explained before. */
function clear() {
  $("found").hidden = $("error").hidden = true;
  $("empty").hidden = false;
  $("status").textContent = "";
  for (const id of ["original", "overlay"]) $(id).removeAttribute("src");
  for (const id of ["labels", "texts", "warnings"]) $(id).replaceChildren();
  for (const part of $("bars").querySelectorAll("thead, tbody, tfoot")) part.replaceChildren();
}

function fail(error) {
  const lost = error instanceof TypeError;
  clear();
  $("empty").hidden = true;
  $("error").textContent = lost ? "The server does not answer." : error.message;
  $("error").hidden = false;
}
