"use strict";
// The page asks two things of its server: what it serves (page/models), and explanations
// (page/explain). A change of the drawing alone is drawn from what the server still has.

const $ = (id) => document.getElementById(id);
const state = {models: [], methods: [], picture: null, label: 0, asked: 0};

const chosen = () => state.models.find((model) => model.name === $("model").value);
const method = () => state.methods.find((it) => it.name === $("method").value);

async function ask(path, body) {
  const headers = {"Content-Type": "application/json"};
  const token = $("token").value || sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  const method = body === undefined ? "GET" : "POST";
  const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body)});
  const found = await answer.json();
  $("token-field").hidden = answer.status !== 401;
  if (!answer.ok) throw new Error(found.error);
  if (token) sessionStorage.setItem("token", token);
  return found;
}

function fail(error) {
  const lost = error instanceof TypeError;
  $("error").textContent = lost ? "The server does not answer." : error.message;
  $("error").hidden = false;
  $("status").textContent = "";
}

// Controls

function showModel() {
  const model = chosen();
  if (!model) return;
  $("image-input").hidden = $("drawing").hidden = !model.picture;
  $("json-input").hidden = model.picture;
  if (!model.picture) $("instance").value = JSON.stringify(model.instance, null, 2);
  state.methods.forEach((it, i) => {
    const option = $("method").options[i];
    const kind = model.picture ? "image" : model.text ? "text" : "table";
    option.hidden = option.disabled = it.explains_only.length && !it.explains_only.includes(kind);
  });
  $("method").value = model.method;
  showMethod();
  $("top-k").value = Math.min(3, model.outputs ?? 3);
  $("found").hidden = true;
  $("empty").hidden = false;
  if (state.picture && model.picture) explain();
}

function showMethod() {
  const {effort} = method();
  $("effort-name").textContent = effort.label;
  $("effort").value = effort.start;
  state.visualization = null; // each method has defaults of its own
}

function showVisualization(settings) {
  for (const [name, value] of Object.entries(settings)) {
    for (const field of document.getElementsByName(name)) {
      if (field.type === "radio") field.checked = field.value === value;
      else field.value = value;
    }
  }
  showSliders();
}

function showSliders() {
  for (const slider of document.querySelectorAll(".slider")) {
    const input = slider.querySelector("input");
    slider.querySelector("output").textContent = `${input.value} ${input.dataset.unit}`;
  }
}

function readVisualization() {
  const settings = {};
  for (const field of $("drawing").querySelectorAll("[name]")) {
    if (field.type === "radio" && !field.checked) continue;
    settings[field.name] = field.type === "range" ? Number(field.value) : field.value;
  }
  for (const {name, dataset} of $("drawing").querySelectorAll("[data-type], [data-below]")) {
    // What belongs to another type of drawing is left out; a lower end stays below its upper one,
    // whichever of them was moved.
    if (dataset.type && dataset.type !== settings.type) delete settings[name];
    if (dataset.below) settings[name] = Math.min(settings[name], settings[dataset.below] - 0.1);
  }
  return settings;
}

// Asking and showing

async function explain() {
  const model = chosen();
  if (!model || (model.picture && !state.picture) || !$("controls").reportValidity()) return;
  const number = ++state.asked;
  const body = {
    model: model.name, method: method().name,
    [method().effort.setting]: Number($("effort").value),
    top_k: Number($("top-k").value), label: state.label,
  };
  try {
    if (model.picture) body.picture = state.picture;
    else body.instance = JSON.parse($("instance").value);
  } catch (error) {
    return fail(new Error(`The instance is not JSON: ${error.message}.`));
  }
  if (state.visualization) body.visualization = state.visualization;
  $("result").setAttribute("aria-busy", "true");
  $("status").textContent = "Explaining…";
  try {
    const found = await ask("page/explain", body);
    if (number === state.asked) show(found);
  } catch (error) {
    if (number === state.asked) fail(error);
  } finally {
    if (number === state.asked) $("result").setAttribute("aria-busy", "false");
  }
}

function show(found) {
  $("error").hidden = $("empty").hidden = true;
  $("found").hidden = false;
  showLabels(found.labels);
  const label = found.labels[state.label];
  $("pictures").hidden = !found.overlay;
  $("bars").hidden = Boolean(found.overlay);
  if (found.overlay) {
    // A series has no other picture than the one that is drawn of it.
    $("original").closest("figure").hidden = !found.original;
    if (found.original) $("original").src = found.original;
    $("overlay").src = found.overlay;
    $("overlay").alt = `What speaks for ${label.name} in the ${found.original ? "picture" : "series"}`;
    for (const id of ["original", "overlay"]) $(id).classList.toggle("small", found.width < 128);
    $("caption").textContent = found.empty ? `Nothing has this polarity for ${label.name}.`
      : `${label.name}: ${label.quality}`;
    if (found.visualization && !state.visualization) showVisualization(found.visualization);
  } else {
    showBars(found.bars);
  }
  $("warnings").replaceChildren(...found.warnings.map((sentence) => {
    const item = document.createElement("li");
    item.textContent = sentence;
    return item;
  }));
  $("status").textContent = `${label.name} ${format(label.score)}, baseline ${format(label.baseline)}.`;
}

const format = (score) => Math.abs(score) >= 1e-3 && Math.abs(score) < 1e4
  ? score.toPrecision(4) : score.toExponential(2);

function showLabels(labels) {
  const focused = $("labels").contains(document.activeElement);
  state.label = Math.min(state.label, labels.length - 1);
  $("labels").replaceChildren(...labels.map((label, i) => {
    const item = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, {type: "radio", name: "label", value: i, checked: i === state.label});
    const chip = document.createElement("span");
    const name = document.createElement("b");
    const score = document.createElement("small");
    name.textContent = label.name;
    score.textContent = format(label.score);
    chip.append(name, score);
    item.append(input, chip);
    return item;
  }));
  if (focused) $("labels").querySelector("input:checked").focus();
}

function showBars(bars) {
  const most = Math.max(...bars.map((bar) => Math.abs(bar.value)), 1e-12);
  $("bars").tBodies[0].replaceChildren(...bars.map((bar) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = bar.name;
    const cell = row.insertCell();
    const width = 50 * Math.abs(bar.value) / most;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 100 10");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const rect = document.createElementNS(svg.namespaceURI, "rect");
    const put = {x: bar.value < 0 ? 50 - width : 50, y: 1, width, height: 8};
    for (const [name, value] of Object.entries(put)) rect.setAttribute(name, value);
    rect.setAttribute("class", bar.value < 0 ? "against" : "for");
    const line = document.createElementNS(svg.namespaceURI, "line");
    for (const [name, value] of Object.entries({x1: 50, x2: 50, y1: 0, y2: 10})) {
      line.setAttribute(name, value);
    }
    line.setAttribute("vector-effect", "non-scaling-stroke");
    svg.append(rect, line);
    cell.append(svg);
    row.prepend(head);
    const number = row.insertCell();
    number.className = "number";
    number.textContent = (bar.value < 0 ? "−" : "+") + format(Math.abs(bar.value));
    return row;
  }));
}

// What people do

function take(file) {
  if (!file) return;
  const reader = new FileReader();
  reader.onload = () => {
    state.picture = reader.result.slice(reader.result.indexOf(",") + 1);
    state.label = 0;
    $("drop").querySelector("strong").textContent = file.name || "A picture from the clipboard";
    $("drop").querySelector("span").textContent = "drop, choose or paste another";
    explain();
  };
  reader.readAsDataURL(file);
}

let timer;
function soon() {
  clearTimeout(timer);
  timer = setTimeout(explain, 150);
}

$("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  explain();
});
$("instance").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) explain();
});
$("model").addEventListener("change", () => {
  state.label = 0;
  showModel();
});
$("method").addEventListener("change", () => {
  showMethod();
  soon();
});
for (const id of ["effort", "top-k"]) $(id).addEventListener("change", soon);
$("drawing").addEventListener("input", () => {
  showSliders();
  state.visualization = readVisualization();
  soon();
});
$("labels").addEventListener("change", (event) => {
  state.label = Number(event.target.value);
  explain();
});
$("token").addEventListener("change", start);
$("file").addEventListener("change", () => take($("file").files[0]));
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) {
  document.addEventListener(kind, () => $("drop").classList.remove("over"));
}
document.addEventListener("drop", (event) => {
  event.preventDefault();
  take(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((item) => item.type.startsWith("image/"));
  if (file) take(file);
});

async function start() {
  try {
    const found = await ask("page/models");
    state.models = found.models;
    state.methods = found.methods;
    $("method").replaceChildren(...state.methods.map((it) => new Option(it.label, it.name)));
    $("model").replaceChildren(...state.models.map((model) => new Option(model.name)));
    $("error").hidden = true;
    showModel();
  } catch (error) {
    fail(error);
  }
}

start();
