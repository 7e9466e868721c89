"use strict";
// The page asks its server what it serves (page/models), for explanations (page/explain) and for
// files of them (page/save). A change of the drawing alone is drawn from what the server still has.

const $ = byId;
const state = {models: [], methods: [], picture: null, label: 0, visualization: null, running: null, asked: null};

const chosen = () => state.models.find((model) => model.name === $("model").value);
const method = () => state.methods.find((it) => it.name === $("method").value);

async function ask(path, body, signal) {
  const headers = {"Content-Type": "application/json"};
  const token = $("token").value || sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  const verb = body === undefined ? "GET" : "POST";
  const answer = await fetch(path, {method: verb, headers, body: body && JSON.stringify(body), signal});
  const found = await answer.json();
  $("token-field").hidden = answer.status !== 401;
  if (!answer.ok) throw new Error(found.error);
  if (token) sessionStorage.setItem("token", token);
  return found;
}

// Controls

function showModel() {
  const model = chosen();
  if (!model) return;
  clearTimeout(timer);
  stop();
  clear();
  Object.assign(state, {label: 0, asked: null});
  $("image-input").hidden = $("drawing").hidden = !model.picture;
  $("values").hidden = model.picture;
  if (!model.picture) showInstance(model.instance, false);
  const offered = state.methods.filter((it) => model.methods.includes(it.name));
  $("method").replaceChildren(...offered.map((it) => new Option(it.label, it.name)));
  $("method").value = model.method;
  showMethod();
  $("top-k").value = Math.min(3, model.outputs ?? 3);
}

function showMethod() {
  const {effort} = method();
  $("effort-name").textContent = effort.label;
  $("effort").value = effort.start;
  state.visualization = null; // each method has defaults of its own
}

/** Choose what the address says; what it says of other models or methods is said to be so. */
function follow() {
  const said = readAddress();
  const known = state.models.some((model) => model.name === said.model);
  if (known) $("model").value = said.model;
  showModel();
  if (!chosen()) return;
  if (said.model && !known) return fail(new Error(`The link is to the model '${said.model}', which is not served here.`));
  if (said.method) {
    if (!chosen().methods.includes(said.method)) {
      return fail(new Error(`The link asks for the method '${said.method}', which does not explain this model.`));
    }
    $("method").value = said.method;
    showMethod();
  }
  const whole = (text) => /^[1-9]\d{0,5}$/.test(text ?? "");
  if (whole(said[method().effort.setting])) $("effort").value = said[method().effort.setting];
  if (whole(said.top_k)) $("top-k").value = said.top_k;
  if (said.drawing && chosen().picture) {
    showVisualization(said.drawing);
    state.visualization = said.drawing;
  }
  if (state.picture && chosen().picture) explain();
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

// Asking

function question() {
  const model = chosen();
  const body = {
    model: model.name, method: method().name,
    [method().effort.setting]: Number($("effort").value),
    top_k: Number($("top-k").value), label: state.label,
  };
  if (model.picture) body.picture = state.picture;
  else body.instance = readInstance();
  if (state.visualization) body.visualization = state.visualization;
  return body;
}

async function explain() {
  clearTimeout(timer);
  const model = chosen();
  if (!model || (model.picture && !state.picture) || !$("controls").reportValidity()) return;
  stop();
  let body;
  try {
    body = question();
  } catch (error) {
    return fail(error);
  }
  const running = begin();
  writeAddress();
  try {
    const found = await ask("page/explain", body, running.abort.signal);
    if (state.running !== running) return;
    state.asked = body;
    $("found").classList.remove("old");
    show(found);
  } catch (error) {
    if (state.running === running) fail(error);
  } finally {
    if (state.running === running) stop();
  }
}

/** Say that something is being computed, and for how long. */
function begin() {
  const started = performance.now();
  const say = () => {
    const seconds = Math.floor((performance.now() - started) / 1000);
    $("working").hidden = seconds < 1;
    $("elapsed").textContent = `${seconds} s`;
  };
  $("doing").textContent = `${method().label}, ${$("effort").value} ${method().effort.label.toLowerCase()}:`;
  $("status").textContent = "Explaining…";
  $("empty").hidden = $("error").hidden = true;
  $("result").setAttribute("aria-busy", "true");
  state.running = {abort: new AbortController(), clock: setInterval(say, 250)};
  return state.running;
}

/** Wait no more for what is being computed; the server then stops computing it. */
function stop() {
  if (!state.running) return;
  clearInterval(state.running.clock);
  state.running.abort.abort();
  state.running = null;
  $("working").hidden = true;
  $("result").setAttribute("aria-busy", "false");
}

async function save(form) {
  try {
    const file = await ask("page/save", {...state.asked, label: state.label, form});
    const bytes = Uint8Array.from(atob(file.data), (c) => c.charCodeAt(0));
    const url = URL.createObjectURL(new Blob([bytes], {type: file.type}));
    made("a", {href: url, download: file.name}).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    $("status").textContent = `${file.name} was saved.`;
  } catch (error) {
    fail(error);
  }
}

// What people do

function take(file) {
  if (!file || chosen()?.picture === false) return;
  const reader = new FileReader();
  reader.onload = () => {
    state.picture = reader.result.slice(reader.result.indexOf(",") + 1);
    state.label = 0;
    $("drop").querySelector("strong").textContent = file.name || "A picture from the clipboard";
    $("drop").querySelector("span").textContent = "drop, choose or paste another";
    bring();
    explain();
  };
  reader.readAsDataURL(file);
}

let timer;
function soon() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (state.asked || chosen()?.picture) explain();
  }, 150);
}

/** On a small screen, where the result is above, go there. */
function bring() {
  if (narrow.matches) $("result").scrollIntoView({block: "start"});
}

const narrow = matchMedia("(max-width: 56rem)");
function arrange() {
  // What is read first, by eyes, keys and screen readers, is the same.
  const [first, second] = narrow.matches ? ["result", "controls"] : ["controls", "result"];
  document.querySelector("main").append($(first), $(second));
}
narrow.addEventListener("change", arrange);
arrange();

$("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  bring();
  explain();
});
$("values").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) explain();
});
$("values").addEventListener("input", () => {
  $("start").hidden = true;
  if (!state.asked) return;
  $("found").classList.add("old");
  $("status").textContent = "The instance was changed: press Explain.";
});
$("form").addEventListener("click", changeForm);
$("model").addEventListener("change", () => {
  showModel();
  writeAddress();
  if (state.picture && chosen().picture) explain();
});
$("method").addEventListener("change", () => {
  showMethod();
  writeAddress();
  soon();
});
for (const id of ["effort", "top-k"]) {
  $(id).addEventListener("change", () => {
    writeAddress();
    soon();
  });
}
$("drawing").addEventListener("input", () => {
  showSliders();
  state.visualization = readVisualization();
  writeAddress();
  soon();
});
$("labels").addEventListener("change", (event) => {
  state.label = Number(event.target.value);
  explain();
});
$("cancel").addEventListener("click", () => {
  stop();
  clear();
  $("status").textContent = "Cancelled.";
});
$("save-png").addEventListener("click", () => save("png"));
$("save-json").addEventListener("click", () => save("json"));
$("share").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    $("share").textContent = "Copied";
  } catch { // browsers lend the clipboard to https and localhost alone
    $("share").textContent = "It is in the address bar";
  }
  setTimeout(() => { $("share").textContent = "Copy link"; }, 2000);
});
addEventListener("hashchange", follow);
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
    $("model").replaceChildren(...state.models.map((model) => new Option(model.name)));
    $("error").hidden = true;
    follow();
    if (!state.models.length) fail(new Error("No model is ready yet: load the page again in a moment."));
  } catch (error) {
    fail(error);
  }
}

start();
