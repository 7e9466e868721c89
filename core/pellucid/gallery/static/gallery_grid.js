// The grid: only the rows in sight are in the document, however many there are.

const GAP = 16;
const CAPTION = 46;
const AHEAD = 2; // rows drawn before they come into sight

function makeGrid(grid, makeCard, open) {
  const rows = new Map();
  let order = [];
  let across = 1; // cells in a row
  let width = 0; // of the grid, when it was laid out last
  let height = 1; // of a row, with its gap
  let size = 176;
  let current = 0; // the position that the keyboard is at
  let waiting = false;
  let seen = 0; // what was above the window when it was drawn last
  let pause = 0;

  const clear = () => { rows.forEach((row) => row.remove()); rows.clear(); };
  const top = () => grid.getBoundingClientRect().top;
  const covered = () => {
    const header = document.querySelector("header");
    return getComputedStyle(header).position === "sticky" ? header.offsetHeight : 0;
  };

  function layout() {
    width = grid.clientWidth;
    across = Math.max(1, Math.round((width + GAP) / (size + GAP)));
    const side = (width - GAP * (across - 1)) / across;
    height = side + CAPTION + GAP;
    const all = Math.ceil(order.length / across);
    grid.style.height = `${Math.max(0, all * height - GAP)}px`;
    grid.style.setProperty("--lines", String(Math.max(2, Math.floor((side - 24) / 18.5))));
    grid.setAttribute("aria-rowcount", String(all));
    grid.setAttribute("aria-colcount", String(across));
    // All cards are made anew, and what had the focus keeps it.
    const held = grid.contains(document.activeElement);
    clear();
    draw();
    if (held) cardAt(current)?.focus({ preventScroll: true });
  }

  function makeRow(number) {
    const row = element("div", { role: "row", "aria-rowindex": number + 1 });
    row.style.transform = `translateY(${number * height}px)`;
    row.style.gridTemplateColumns = `repeat(${across}, minmax(0, 1fr))`;
    for (let at = number * across; at < Math.min(order.length, (number + 1) * across); at++) {
      const card = makeCard(order[at]);
      card.tabIndex = at === current ? 0 : -1;
      card.dataset.at = String(at);
      row.append(element("div", { role: "gridcell", "aria-colindex": (at % across) + 1 }, card));
    }
    return row;
  }

  function load() {
    for (const picture of grid.querySelectorAll("img[data-src]")) {
      picture.src = picture.dataset.src;
      picture.removeAttribute("data-src");
    }
  }

  function draw() {
    waiting = false;
    const above = -top();
    // Pictures that would be in sight for five frames or less are not loaded; those of the place
    // where it slows down are.
    const rushing = Math.abs(above - seen) > innerHeight / 5;
    seen = above;
    const last = Math.ceil(order.length / across) - 1;
    const from = Math.max(0, Math.floor(above / height) - AHEAD);
    const to = Math.min(last, Math.floor((above + innerHeight) / height) + AHEAD);
    // The row of the focus stays, wherever it is: what has the focus must not vanish.
    const kept = Math.floor(current / across);
    for (const [number, row] of rows) {
      if ((number < from || number > to) && number !== kept) {
        row.remove();
        rows.delete(number);
      }
    }
    const wanted = order.length ? [kept] : [];
    for (let number = from; number <= to; number++) wanted.push(number);
    for (const number of wanted) {
      if (rows.has(number)) continue;
      const row = makeRow(number);
      rows.set(number, row);
      // Readers go through rows in the order of the document.
      const after = [...rows.keys()].filter((other) => other > number);
      grid.insertBefore(row, after.length ? rows.get(Math.min(...after)) : null);
    }
    clearTimeout(pause);
    if (rushing) pause = setTimeout(load, 80);
    else load();
  }

  function soon() {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }

  const cardAt = (at) => grid.querySelector(`.card[data-at="${at}"]`);

  /** Make a position the current one, in sight, and give it the focus if it should have it. */
  function go(at, { focus = true } = {}) {
    if (!order.length) return;
    const before = cardAt(current);
    if (before) before.tabIndex = -1;
    current = Math.min(order.length - 1, Math.max(0, at));
    const from = top() + Math.floor(current / across) * height;
    if (from < covered() + 8) scrollBy({ top: from - covered() - 8, behavior: "instant" });
    else if (from + height > innerHeight) scrollBy({ top: from + height - innerHeight, behavior: "instant" });
    draw();
    const card = cardAt(current);
    card.tabIndex = 0;
    if (focus) card.focus({ preventScroll: true });
  }

  const page = () => across * Math.max(1, Math.floor((innerHeight - covered()) / height));
  const moves = {
    ArrowLeft: () => current - 1,
    ArrowRight: () => current + 1,
    ArrowUp: () => (current - across < 0 ? current : current - across),
    ArrowDown: () => (current + across < order.length ? current + across : current),
    PageUp: () => Math.max(current % across, current - page()),
    PageDown: () => current + page(),
    Home: () => 0,
    End: () => order.length - 1,
  };

  grid.addEventListener("keydown", (event) => {
    if (!(event.key in moves) || event.altKey || event.metaKey) return;
    event.preventDefault();
    go(moves[event.key]());
  });
  grid.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (!card) return;
    go(Number(card.dataset.at), { focus: false });
    open(order[current]);
  });
  addEventListener("scroll", soon, { passive: true });
  new ResizeObserver(() => {
    if (grid.clientWidth !== width) layout();
  }).observe(grid);
  addEventListener("resize", soon);

  return {
    go,
    /** Show inputs in an order, from the top. */
    show(inputs) {
      order = inputs;
      current = 0;
      layout();
    },
    resize(pixels) {
      if (pixels === size) return;
      size = pixels;
      layout();
    },
  };
}
