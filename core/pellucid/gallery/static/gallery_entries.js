// What the page holds, and which of it is shown in which order.

const run = new URLSearchParams(document.querySelector('meta[name="run"]').content.replaceAll(" ", "&"));
const data = JSON.parse(byId("entries").textContent);
const count = data.names.length;
const MARKED = 0.05; // what Pellucid warns of

const labelOf = (i) => (data.label[i] < 0 ? null : data.labels[data.label[i]]);
// Where the truth is known: the true label of an input, and what it was taken for, if that is wrong.
const isKnown = Boolean(data.truths);
const truthOf = (i) => (isKnown && data.truth[i] >= 0 ? data.truths[data.truth[i]] : null);
const readAs = (i) => (isKnown && data.mistake[i] >= 0 ? data.mistakes[data.mistake[i]] : null);
const pairOf = (i) => (readAs(i) === null ? null : JSON.stringify([truthOf(i), readAs(i)]));
/** Why an input failed, or null; that it is this input need not be said again. */
const errorOf = (i) => {
  const said = data.errors[i] ?? null;
  return said?.startsWith(`${data.names[i]}: `) ? said.slice(data.names[i].length + 2) : said;
};

/** How many letters all names begin with, up to the last folder that they share. */
const shared = (() => {
  if (count < 2) return 0;
  let prefix = data.names[0];
  for (const name of data.names) while (!name.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return prefix.lastIndexOf("/") + 1;
})();
const nameOf = (i) => data.names[i].slice(shared) || data.names[i];

let lines = null;
/** The JSON of an input; parsed only when somebody looks. */
function rowOf(i) {
  lines ??= byId("rows").textContent.split("\n");
  return JSON.parse(lines[i]);
}

/** A number as people read it: three decimals where that says enough, else four digits. */
function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const plain = value === 0 || (size >= 1e-3 && size < 100);
  return (plain ? value.toFixed(3) : String(Number(value.toPrecision(4)))).replace("-", "−");
}

/** An element with children; a string child is text, never markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

let haystacks = null;
function matcher(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return () => true;
  haystacks ??= data.names.map((name, i) =>
    `${name}\n${labelOf(i) ?? ""}\n${truthOf(i) ?? ""}\n${errorOf(i) ?? ""}`.toLowerCase());
  return (i) => words.every((word) => haystacks[i].includes(word));
}

const columns = {
  input: () => null,
  name: () => {
    const { compare } = new Intl.Collator(undefined, { numeric: true });
    const ranks = new Array(count);
    [...data.names.keys()].sort((a, b) => compare(data.names[a], data.names[b]))
      .forEach((i, rank) => { ranks[i] = rank; });
    return ranks;
  },
  score: () => data.scores,
  error: () => data.approx,
  // The mistakes first, those that the model is surest of before the others.
  ...(isKnown && { mistakes: () => data.scores.map((score, i) => (readAs(i) === null ? null : -(score ?? 0))) }),
};
const known = {};

/** The inputs that a view shows, in its order, and how many of each label its words match. */
function select({ words, labels, truths, pair, mistaken, failed, sort, down }) {
  const matches = matcher(words);
  const counts = { all: 0, failed: 0, labels: new Array(data.labels.length).fill(0), mistaken: 0, truths: new Map(), pairs: new Map() };
  const more = (counted, key) => counted.set(key, (counted.get(key) ?? 0) + 1);
  const chosen = [];
  for (let i = 0; i < count; i++) {
    if (!matches(i)) continue;
    const bad = errorOf(i) !== null;
    counts.all++;
    if (bad) counts.failed++;
    if (data.label[i] >= 0) counts.labels[data.label[i]]++;
    const wrong = pairOf(i);
    if (wrong !== null) {
      counts.mistaken++;
      more(counts.pairs, wrong);
    }
    if (truthOf(i) !== null) more(counts.truths, truthOf(i));
    if (mistaken && wrong === null) continue;
    if (pair !== null && wrong !== pair) continue;
    if (truths.size && !truths.has(truthOf(i))) continue;
    if (failed ? bad : !labels.size || labels.has(labelOf(i))) chosen.push(i);
  }
  const keys = (known[sort] ??= columns[sort]());
  const sign = down ? -1 : 1;
  if (keys === null) {
    if (down) chosen.reverse();
  } else {
    // What has no such number comes last, whichever way the rest is sorted.
    chosen.sort((a, b) =>
      (keys[a] === null) - (keys[b] === null) || sign * (keys[a] - keys[b]) || a - b);
  }
  return { chosen, counts };
}

/** The label scores and attributions in a row, whichever service's form it has. */
function labelsOf(row) {
  const explanation = row.explanation ?? {};
  const found = explanation.attributions_by_label ?? explanation.attributions;
  if (!Array.isArray(found)) return [];
  return found.filter((one) => one && typeof one === "object").map((one) => ({
    name: one.label_name ?? one.outputDisplayName ?? String(one.label_index ?? one.outputIndex ?? ""),
    score: one.example_score ?? one.instanceOutputValue ?? null,
    baseline: one.baseline_score ?? one.baselineOutputValue ?? null,
    features: one.attributions ?? one.featureAttributions ?? {},
  }));
}

const total = (value) =>
  typeof value === "number" ? value : Array.isArray(value) ? value.reduce((sum, v) => sum + total(v), 0) : 0;

/** The text of an instance, if it is one, or one of its features is. */
function textOf(row) {
  const { instance } = row;
  const texts = typeof instance === "string" ? [instance] : Object.values(instance ?? {});
  // Base64 is no text, and has no spaces; a path of a picture may have some.
  const isText = (text) => typeof text === "string" && /\s/.test(text) && !/\.(png|jpe?g?|gif|webp|bmp|tiff?)$/i.test(text);
  return texts.find(isText) ?? null;
}

/** Whether a name is but the beginning of the text that stands beside it. */
const repeats = (name, text) => text?.replaceAll("\n", "\\n").startsWith(name.slice(0, 40)) ?? false;

/** The elements of one feature, side by side: up is for the output, down against it. */
function strip(name, values) {
  const largest = Math.max(...values.map(Math.abs)) || 1;
  const at = values.findIndex((value) => Math.abs(value) === largest);
  const chart = drawing("svg", { viewBox: `0 0 ${values.length} 2`, preserveAspectRatio: "none", role: "img",
    class: "strip", "aria-label": `${name}, ${values.length} elements, the largest ${short(values[at] ?? 0)} at ${at + 1}` });
  values.forEach((value, x) => {
    const height = Math.abs(value) / largest;
    chart.append(drawing("rect", { x, y: value < 0 ? 1 : 1 - height, width: 0.85, height, class: value < 0 ? "less" : "more" }));
  });
  return chart;
}

/** A small chart of the features that count most, for what has no picture; null if there are none. */
function bars(i, most, { numbers = false } = {}) {
  const [first] = labelsOf(rowOf(i));
  const isNumeric = ([, value]) => typeof value === "number" || Array.isArray(value);
  const features = Object.entries(first?.features ?? {}).filter(isNumeric)
    .map(([name, value]) => [name, total(value), value])
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, most);
  if (!features.length) return null;
  const largest = Math.max(...features.map(([, value]) => Math.abs(value))) || 1;
  const signs = features.some(([, value]) => value < 0) ? 50 : 100;
  const chart = element("div", { class: numbers ? "bars numbers" : "bars", role: "img" });
  chart.setAttribute("aria-label", "Attributions: " + features.map(([n, v]) => `${n} ${short(v)}`).join(", "));
  for (const [name, value, elements] of features) {
    const bar = element("i", { class: value < 0 ? "less" : "more" });
    const width = (signs * Math.abs(value)) / largest;
    bar.style.width = `${Math.max(1, width)}%`;
    // What speaks against the output goes to the left of the middle.
    bar.style.marginInlineStart = signs === 100 ? "0" : `${value < 0 ? 50 - width : 50}%`;
    const many = numbers && Array.isArray(elements) && elements.length > 1 && elements.every(Number.isFinite);
    chart.append(element("bdi", {}, name),
      many ? strip(name, elements) : element("span", { title: `${name} ${short(value)}` }, bar));
    if (numbers) chart.append(element("b", {}, short(value)));
  }
  return chart;
}
