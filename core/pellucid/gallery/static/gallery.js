// The view and its controls. The address holds the view, so that it can be sent to somebody.

const FEW = 200; // labels in the list
const MOST = 12; // kinds of mistakes in the list
const FIRST = isKnown ? "mistakes" : "input";
const everything = () => ({ labels: new Set(), truths: new Set(), pair: null, mistaken: false, failed: false });
const view = { words: "", ...everything(), sort: FIRST, down: false, size: 176, open: null };
const KNOWN = isKnown ? data.truth.filter((it) => it >= 0).length : 0;
const WRONG = isKnown ? data.mistake.filter((it) => it >= 0).length : 0;
const thousands = (number) => number.toLocaleString("en");
let order = [];

// ---- the view and the address

function written() {
  const address = new URLSearchParams();
  if (view.words) address.set("q", view.words);
  for (const label of view.labels) address.append("label", label);
  for (const truth of view.truths) address.append("truth", truth);
  if (view.pair !== null) address.set("pair", view.pair);
  if (view.mistaken) address.set("mistaken", "1");
  if (view.failed) address.set("failed", "1");
  if (view.sort !== FIRST) address.set("sort", view.sort);
  if (view.down) address.set("down", "1");
  if (view.size !== 176) address.set("size", String(view.size));
  if (view.open !== null) address.set("input", String(data.first + view.open + 1));
  return `#${address}`;
}

function read() {
  const address = new URLSearchParams(location.hash.slice(1));
  view.words = address.get("q") ?? "";
  view.labels = new Set(address.getAll("label").filter((label) => data.labels.includes(label)));
  view.truths = new Set(address.getAll("truth").filter((truth) => data.truths?.includes(truth)));
  view.pair = isKnown ? address.get("pair") : null;
  view.mistaken = isKnown && address.has("mistaken");
  view.failed = address.has("failed");
  view.sort = Object.hasOwn(columns, address.get("sort") ?? "") ? address.get("sort") : FIRST;
  view.down = address.has("down");
  view.size = Math.min(320, Math.max(96, Number(address.get("size")) || 176));
  const place = Number(address.get("input")) - 1 - data.first;
  view.open = Number.isInteger(place) && place >= 0 && place < count ? place : null;
}

let later = 0;
/** Write the view into the address, now and then: browsers refuse to be hurried. */
function note() {
  clearTimeout(later);
  later = setTimeout(() => history.replaceState(history.state, "", written()), 200);
}

// ---- what is drawn from the view

function makeCard(i) {
  const bad = errorOf(i);
  const name = nameOf(i);
  const label = bad === null ? labelOf(i) ?? name : "failed";
  const byError = view.sort === "error";
  const number = byError ? data.approx[i] : data.scores[i];
  const marked = data.approx[i] > MARKED;
  const card = element("button", { type: "button", class: "card" });
  const picture = data.thumbnails[i] ?? data.overlays[i] ?? data.originals[i];
  const tile = element("span", { class: "tile" });
  let text = null;
  if (bad !== null) {
    tile.classList.add("failed");
    tile.append(element("span", {}, bad));
  } else if (picture) {
    const img = element("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    img.onload = () => img.classList.toggle("tiny", Math.max(img.naturalWidth, img.naturalHeight) <= 64);
    img.onerror = () => img.replaceWith(element("span", { class: "soft" }, "no picture"));
    img.dataset.src = picture; // the grid loads it when it is worth it
    tile.append(img);
  } else {
    text = textOf(rowOf(i));
    tile.append(text === null
      ? bars(i, 6) ?? element("span", { class: "soft" }, "no picture")
      : element("span", { class: "words" }, text));
  }
  const first = element("span", { class: "line" }, element("bdi", { class: bad === null ? "label" : "label failed-label" }, label));
  if (number !== null) {
    first.append(element("span", { class: byError && marked ? "number warn" : "number" }, short(number)));
  }
  const second = element("span", { class: "line" }, element("bdi", { title: data.names[i] }, label === name || repeats(name, text) ? "" : name));
  if (readAs(i) !== null) {
    second.append(element("span", { class: "mistake", title: `The truth is ${truthOf(i)}, read as ${readAs(i)}` }, "is ", element("bdi", {}, truthOf(i))));
  } else if (marked && !byError) {
    second.append(element("span", { class: "warn", title: "The approximation error is above 0.05" }, `error ${short(data.approx[i])}`));
  }
  card.append(tile, first, second);
  return card;
}

/** All mistakes, and the most frequent kinds of them: “five read as four”. */
function drawMistakes(counts, item) {
  const items = [item("Mistakes", counts.mistaken, view.mistaken, () => change({ ...everything(), mistaken: !view.mistaken }), "fails")];
  const kinds = [...counts.pairs].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  for (const [pair, number] of kinds.slice(0, MOST)) {
    const said = JSON.parse(pair).join(" read as ");
    items.push(item(said, number, view.pair === pair, () => change({ ...everything(), pair: view.pair === pair ? null : pair }), "kind"));
  }
  if (kinds.length > MOST) items.push(element("p", {}, `and ${thousands(kinds.length - MOST)} rarer kinds of mistakes`));
  return items;
}

function drawLabels(counts) {
  const item = (text, number, pressed, click, kind = "") => {
    const button = element("button", { type: "button", "aria-pressed": String(pressed), class: number ? kind : `none ${kind}` },
      element("bdi", { title: text }, text), element("span", {}, thousands(number)));
    button.addEventListener("click", click);
    return button;
  };
  const nav = byId("labels");
  const failures = Object.keys(data.errors).length;
  nav.hidden = data.labels.length + failures === 0;
  if (nav.hidden) return;
  const focused = [...nav.querySelectorAll("button")].indexOf(document.activeElement);
  const all = !view.labels.size && !view.truths.size && view.pair === null && !view.mistaken && !view.failed;
  const items = [item("All", counts.all, all, () => change(everything()))];
  if (failures) items.push(item("Failed", counts.failed, view.failed, () => change({ ...everything(), failed: !view.failed }), "fails"));
  if (isKnown) items.push(...drawMistakes(counts, item));
  items.push(isKnown ? element("h2", {}, "Label") : element("hr"));
  data.labels.slice(0, FEW).forEach((label, number) => {
    items.push(item(label, counts.labels[number], view.labels.has(label), (event) => {
      const several = event.shiftKey || event.ctrlKey || event.metaKey;
      const labels = new Set(several ? view.labels : []);
      if (view.labels.has(label)) labels.delete(label);
      else labels.add(label);
      change({ labels, pair: null, failed: false });
    }));
  });
  if (data.labels.length > FEW) {
    items.push(element("p", {}, `and ${thousands(data.labels.length - FEW)} rarer labels: search for them`));
  }
  if (isKnown) items.push(element("h2", {}, "Truth"));
  (data.truths ?? []).slice(0, FEW).forEach((truth) => {
    items.push(item(truth, counts.truths.get(truth) ?? 0, view.truths.has(truth), (event) => {
      const several = event.shiftKey || event.ctrlKey || event.metaKey;
      const truths = new Set(several ? view.truths : []);
      if (view.truths.has(truth)) truths.delete(truth);
      else truths.add(truth);
      change({ truths, pair: null, failed: false });
    }));
  });
  nav.replaceChildren(...items);
  if (focused >= 0) nav.querySelectorAll("button")[focused]?.focus();
}

function draw() {
  const { chosen, counts } = select(view);
  order = chosen;
  drawLabels(counts);
  const failed = Number(run.get("failed"));
  const all = Number(run.get("entries"));
  const parts = order.length < count ? [`${thousands(order.length)} of ${thousands(count)} shown`] : [];
  parts.push(`${thousands(all - failed)} explained`);
  if (failed) parts.push(`${thousands(failed)} failed`);
  if (isKnown) parts.push(`${thousands(KNOWN - WRONG)} of ${thousands(KNOWN)} right${Number(run.get("pages")) > 1 ? " on this page" : ""}`);
  byId("counts").textContent = parts.join(" · ");
  byId("empty").hidden = order.length > 0;
  if (byId("search").value !== view.words) byId("search").value = view.words;
  byId("sort").value = view.sort;
  byId("size").value = String(view.size);
  const way = view.down ? "Descending" : "Ascending";
  byId("direction").replaceChildren(icon(view.down ? "M12 5v14M6 13l6 6 6-6" : "M12 19V5M6 11l6-6 6 6"));
  byId("direction").setAttribute("aria-label", `${way}; turn around`);
  byId("direction").title = way;
  grid.resize(view.size);
  grid.show(order);
}

function drawPages() {
  const [page, pages] = [Number(run.get("page")), Number(run.get("pages"))];
  byId("pages").hidden = pages < 2;
  if (pages < 2) return;
  const file = (number) => (number === 1 ? "index.html" : `index-${number}.html`);
  const link = (text, number) =>
    number >= 1 && number <= pages && number !== page ? [element("a", { href: file(number) }, text)] : [];
  byId("pages").replaceChildren(
    element("span", {}, `Page ${thousands(page)} of ${thousands(pages)}: inputs ${thousands(data.first + 1)} to ${thousands(data.first + count)}. Search, labels and order are those of this page.`),
    ...link("First", 1), ...link("Previous", page - 1), ...link("Next", page + 1), ...link("Last", pages));
}

/** Change the view, and show it. */
function change(values) {
  Object.assign(view, values);
  draw();
  scrollTo({ top: 0, behavior: "instant" });
  note();
}

// ---- the large view

let last = 0; // what the large view showed last

function show(i, { pushed = false } = {}) {
  const at = order.indexOf(i);
  view.open = at < 0 ? null : i;
  if (at < 0) return;
  last = i;
  detail.show(i, at, order.length);
  clearTimeout(later);
  if (pushed) history.pushState({ opened: true }, "", written());
  else note();
}

function turn(step) {
  const at = order.indexOf(last) + step;
  if (at >= 0 && at < order.length) show(order[at]);
}

function closed() {
  grid.go(order.indexOf(last));
  if (view.open === null) return; // by going back
  view.open = null;
  clearTimeout(later);
  if (history.state?.opened) history.back();
  else history.replaceState(null, "", written());
}

const grid = makeGrid(byId("grid"), makeCard, (i) => show(i, { pushed: true }));
const detail = makeDetail(byId("detail"), { turn, closed });

// ---- controls

byId("search").addEventListener("input", ({ target }) => change({ words: target.value }));
byId("sort").addEventListener("change", ({ target }) => change({ sort: target.value, down: target.value === "error" }));
byId("direction").addEventListener("click", () => change({ down: !view.down }));
byId("size").addEventListener("input", ({ target }) => { view.size = Number(target.value); grid.resize(view.size); note(); });
byId("ask").addEventListener("click", () => byId("help").showModal());
byId("clear").addEventListener("click", () => { change({ words: "", ...everything() }); byId("search").focus(); });

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
  const typing = event.target === byId("search");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    byId("search").select();
    byId("search").focus();
  } else if (event.key === "?" && !typing) {
    byId("help").showModal();
  } else if (event.key === "Escape" && (view.words || typing)) {
    if (view.words) change({ words: "" });
    else grid.go(0);
  } else if (typing && (event.key === "Enter" || event.key === "ArrowDown")) {
    event.preventDefault();
    grid.go(0);
  } else if (event.target === document.body && event.key.startsWith("Arrow")) {
    event.preventDefault();
    grid.go(0);
  }
});

/** Show what the address says; the grid is drawn anew only if it changes. */
function apply() {
  const shown = () => JSON.stringify({ ...view, labels: [...view.labels], truths: [...view.truths], open: null });
  const before = shown();
  read();
  if (shown() !== before) draw();
  if (view.open === null) detail.close();
  else show(view.open);
}

new ResizeObserver(() => document.documentElement.style.setProperty("--bar", `${document.querySelector("header").offsetHeight - 1}px`))
  .observe(document.querySelector("header"));
history.scrollRestoration = "manual";
addEventListener("popstate", apply);
if (isKnown) byId("sort").prepend(element("option", { value: "mistakes" }, "mistakes first"));
drawPages();
read();
draw();
if (view.open !== null) show(view.open);
performance.mark("pellucid-drawn");
