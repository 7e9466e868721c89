// The large view: original and overlay with a slider between them, the numbers, the JSON.

/** JSON as people read it: lists of plain values stay on their line; nothing turns the text around. */
function pretty(value, indent = "") {
  const inner = indent + "  ";
  const plain = (v) => v === null || typeof v !== "object";
  if (plain(value)) return JSON.stringify(value);
  if (Array.isArray(value)) {
    if (value.every(plain)) return `[${value.map((v) => JSON.stringify(v)).join(", ")}]`;
    return `[\n${value.map((v) => inner + pretty(v, inner)).join(",\n")}\n${indent}]`;
  }
  const pairs = Object.entries(value).map(([k, v]) => `${inner}${JSON.stringify(k)}: ${pretty(v, inner)}`);
  return pairs.length ? `{\n${pairs.join(",\n")}\n${indent}}` : "{}";
}

const visible = (text) => text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
  (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** A URL as the path that it names; bytes that are not UTF-8 stay as they are. */
function readable(url) {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}

async function copyText(text, from) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without permission: the text is selected, and the old command copies the selection.
    getSelection().selectAllChildren(from);
    document.execCommand("copy");
  }
}

function makeDetail(dialog, { turn, closed }) {
  const frame = byId("frame");
  const slider = byId("slider");
  let shown = null;

  function slide(percent) {
    const at = Math.min(100, Math.max(0, Math.round(percent)));
    slider.value = String(at);
    slider.setAttribute("aria-valuetext", `${at} % original, ${100 - at} % overlay`);
    frame.style.setProperty("--at", `${at}%`);
  }

  function load(picture, url) {
    picture.hidden = !url;
    if (!url) {
      picture.removeAttribute("src");
    } else if (picture.getAttribute("src") !== url) {
      picture.src = url;
    }
  }

  function pictures(i) {
    const [overlay, original] = [data.overlays[i], data.originals[i]];
    frame.hidden = !(overlay || original);
    frame.classList.toggle("alone", !(overlay && original));
    load(byId("overlay"), overlay);
    load(byId("original"), original);
    const what = labelOf(i) ?? data.names[i];
    byId("overlay").alt = `Attributions drawn over the picture: ${what}`;
    byId("original").alt = `The picture: ${data.names[i]}`;
    const instead = byId("instead");
    instead.replaceChildren();
    if (!frame.hidden) return;
    const [text, chart] = [textOf(rowOf(i)), bars(i, 15, { numbers: true })];
    if (text !== null && errorOf(i) === null) instead.append(element("p", { class: "words" }, text));
    if (chart) instead.append(chart);
    if (!instead.hasChildNodes()) instead.append(element("p", {}, "There is no picture of this input."));
  }

  function sized(event) {
    const { naturalWidth: w, naturalHeight: h } = event.target;
    // The overlay has the shape of what was explained; the original follows it.
    if (event.target.id === "overlay" || byId("overlay").hidden) {
      frame.style.setProperty("--ratio", String(w / h));
    }
    event.target.classList.toggle("tiny", Math.max(w, h) <= 128);
  }

  function gone(event) {
    if (!event.target.hasAttribute("src")) return;
    event.target.hidden = true;
    frame.classList.add("alone");
    const both = byId("overlay").hidden && byId("original").hidden;
    const path = readable(event.target.getAttribute("src"));
    byId("instead").replaceChildren(element("p", {}, `The ${event.target.id} cannot be shown; it is not a picture, or not there any more: ${path}`));
    if (both) frame.hidden = true;
  }

  function facts(i, at, all) {
    const row = rowOf(i);
    const found = labelsOf(row);
    const bad = errorOf(i);
    byId("place").textContent = `${at + 1} of ${all}`;
    byId("detail-label").replaceChildren(element("bdi", {}, bad === null ? labelOf(i) ?? data.names[i] : "Failed"));
    byId("reason").textContent = bad ?? "";
    // The heading or the text says it already.
    const isSaid = bad === null && (labelOf(i) === null || repeats(data.names[i], textOf(row)));
    const numbers = [
      ["input", isSaid ? null : data.names[i]],
      ["truth", truthOf(i), readAs(i) !== null],
      ["read as", readAs(i) === labelOf(i) ? null : readAs(i)],
      ["score", data.scores[i] === null ? null : short(data.scores[i])],
      ["baseline", found[0]?.baseline == null ? null : short(found[0].baseline)],
      ["error", data.approx[i] === null ? null : short(data.approx[i]), data.approx[i] > MARKED],
      ["method", typeof row.method === "string" ? row.method : null],
    ];
    byId("numbers").replaceChildren(...numbers.filter(([, value]) => value).flatMap(([name, value, marked]) => [
      element("dt", {}, name),
      // A path may go on in the next line after each of its parts.
      element("dd", { class: marked ? "warn" : null },
        element("bdi", {}, ...value.split(/(?<=\/)/).flatMap((part) => [part, element("wbr")]))),
    ]));
    byId("others").replaceChildren();
    if (found.length > 1) {
      byId("others").append(element("table", {},
        element("caption", {}, "All labels that were explained"),
        element("thead", { hidden: true }, element("tr", {}, element("th", {}, "label"), element("th", {}, "score"))),
        element("tbody", {}, ...found.map(({ name, score }) =>
          element("tr", {}, element("td", {}, element("bdi", {}, name)), element("td", {}, short(score)))))));
    }
    const files = [["overlay", data.overlays[i]], ["original", data.originals[i]]].filter(([, url]) => url);
    byId("files").replaceChildren(...files.map(([name, url]) =>
      element("a", { href: url, target: "_blank", rel: "noopener" }, `Open ${name}`)));
    byId("row").textContent = visible(pretty(row));
  }

  frame.addEventListener("pointerdown", (event) => {
    if (frame.classList.contains("alone") || event.button !== 0) return;
    const move = ({ clientX }) => {
      const box = frame.getBoundingClientRect();
      slide((100 * (clientX - box.left)) / box.width);
    };
    const stop = () => {
      frame.removeEventListener("pointermove", move);
      slider.focus({ preventScroll: true });
    };
    frame.setPointerCapture(event.pointerId);
    frame.addEventListener("pointermove", move);
    frame.addEventListener("pointerup", stop, { once: true });
    frame.addEventListener("pointercancel", stop, { once: true });
    event.preventDefault();
    move(event);
  });
  slider.addEventListener("input", () => slide(Number(slider.value)));
  for (const id of ["overlay", "original"]) {
    byId(id).addEventListener("load", sized);
    byId(id).addEventListener("error", gone);
  }
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("close").addEventListener("click", () => dialog.close());
  byId("copy").addEventListener("click", async ({ target }) => {
    await copyText(byId("row").textContent, byId("row"));
    target.textContent = "Copied";
    setTimeout(() => { target.textContent = "Copy"; }, 1500);
  });
  dialog.addEventListener("close", () => { shown = null; closed(); });
  // A click beside the dialog closes it.
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const sliding = document.activeElement === slider;
    const reading = document.activeElement === byId("row");
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && !sliding && !reading) {
      event.preventDefault();
      turn(step);
    } else if (event.key === "o" && !frame.classList.contains("alone")) {
      slide({ 0: 50, 100: 0 }[slider.value] ?? 100);
    }
  });
  slide(50);

  return {
    /** Show input `i`, which is number `at` of `all` in the grid. */
    show(i, at, all) {
      if (i === shown) return;
      shown = i;
      pictures(i);
      facts(i, at, all);
      byId("previous").disabled = at === 0;
      byId("next").disabled = at === all - 1;
      if (!dialog.open) {
        dialog.showModal();
        // Readers begin with what it is; the arrows work from anywhere in the dialog.
        byId("detail-label").focus();
      } else if (!dialog.contains(document.activeElement) || document.activeElement.disabled) {
        byId("detail-label").focus();
      }
    },
    close: () => dialog.open && dialog.close(),
  };
}
