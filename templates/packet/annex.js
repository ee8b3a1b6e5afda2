"use strict";
// The data of the page and tables of it, 100 rows at a time. Values become text nodes, never markup.
const PAGE = 100;
const NUMBER = new Intl.NumberFormat("en");
const WORDING = JSON.parse((document.getElementById("wording") || { textContent: "{}" }).textContent);
// Returns a message in the packet's wording, its {names} filled in.
function _(message, values) {
  return (WORDING[message] || message).replace(/\{(\w+)\}/g, function (all, name) {
    return values && name in values ? String(values[name]) : all;
  });
}
const say = function (n) { return n === null ? _("not stated") : NUMBER.format(n); };

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter(function (child) { return child !== null; }));
  return node;
}

const unpacked = new Map();
function data(name) {
  if (!unpacked.has(name)) unpacked.set(name, unpack(name));
  return unpacked.get(name);
}

async function unpack(name) {
  const text = atob(document.getElementById("annex-" + name).textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const blocks = JSON.parse(await new Response(stream).text());
  const columns = {};
  let n = 0;
  for (const block of blocks) {
    n += block.n;
    for (const name of Object.keys(block.columns)) (columns[name] = columns[name] || []).push(block.columns[name]);
  }
  for (const name of Object.keys(columns)) columns[name] = joined(columns[name]);
  return { n: n, columns: columns, of: function (column, row) { return valueOf(columns[column], row); } };
}

// Returns one column of the parts that blocks have: by words if all are, else by values.
function joined(parts) {
  if (parts.length === 1) return parts[0];
  if (parts.some(function (part) { return !part.words; })) {
    return { values: [].concat(...parts.map(function (part) {
      return part.words ? part.at.map(function (k) { return part.words[k]; }) : part.values;
    })) };
  }
  const places = new Map();
  const at = [].concat(...parts.map(function (part) {
    const here = part.words.map(function (word) {
      if (!places.has(word)) places.set(word, places.size);
      return places.get(word);
    });
    return part.at.map(function (k) { return here[k]; });
  }));
  return { words: [...places.keys()], at: at };
}

function valueOf(column, row) {
  return column.words ? column.words[column.at[row]] : column.values[row];
}

// Returns row -> whether any of the columns holds the (lower case) words. A word that repeats is looked at once.
function matcher(table, names, wanted) {
  const tests = names.map(function (name) {
    const column = table.columns[name];
    column.low = column.low || (column.words || column.values).map(function (v) { return String(v).toLowerCase(); });
    const low = column.low;
    if (!column.words) return function (row) { return low[row].includes(wanted); };
    const hits = low.map(function (v) { return v.includes(wanted); });
    return function (row) { return hits[column.at[row]]; };
  });
  return function (row) {
    for (const test of tests) if (test(row)) return true;
    return false;
  };
}

function before(a, b) { return a < b ? -1 : a > b ? 1 : 0; }

// Returns a comparison of rows by a column; rows that are equal keep the order of the file.
function comparison(table, name, down) {
  const column = table.columns[name];
  const sign = down ? -1 : 1;
  let keys = column.values;
  if (column.words) {
    const order = column.words.map(function (_, k) { return k; });
    order.sort(function (a, b) { return before(column.words[a], column.words[b]); });
    const rank = [];
    order.forEach(function (k, place) { rank[k] = place; });
    keys = column.at.map(function (k) { return rank[k]; });
  }
  return function (a, b) { return sign * before(keys[a], keys[b]) || a - b; };
}

// A table in pages. `columns`: {head, by (column it sorts by), num, wide, cell(row) -> text or node}.
class Paged {
  constructor(root, table, columns, what, total) {
    this.table = table; this.total = total === undefined ? table.n : total; this.columns = columns; this.what = what;
    this.rows = []; this.page = 0; this.by = ""; this.down = false;
    this.said = make("output", { "aria-live": "polite" });
    this.body = make("tbody");
    this.heads = columns.map(this.head, this);
    this.turns = [[_("First"), -Infinity], [_("Previous"), -1], [_("Next"), 1], [_("Last"), Infinity]].map(this.turn, this);
    const grid = make("table", { class: "grid", "aria-label": what },
      make("colgroup", null, ...columns.map(function (c) { return make("col", { class: c.width }); })),
      make("thead", null, make("tr", null, ...this.heads)), this.body);
    this.nav = make("nav", { class: "pager", "aria-label": _("{table}, pages", { table: what }) }, ...this.turns, this.said);
    this.grid = grid;
    this.rest = make("p", { class: "small" }); // who reads to the last row shown must not take it for the last of all
    root.replaceChildren(this.nav, make("div", { class: "scroll", "data-label": what }, grid), this.rest);
    root.hidden = false;
  }

  head(column) {
    const button = make("button", { type: "button" }, column.head);
    button.addEventListener("click", () => {
      this.down = this.by === column.by && !this.down;
      this.by = column.by;
      this.show(this.rows);
    });
    return make("th", { scope: "col", class: column.num ? "num" : null },
      ...(column.by ? [button, make("span", { class: "on-paper" }, column.head)] : [column.head]));
  }

  turn([words, step]) {
    const button = make("button", { type: "button" }, words);
    button.addEventListener("click", () => {
      const last = Math.max(0, Math.ceil(this.rows.length / PAGE) - 1);
      this.page = Math.min(last, Math.max(0, this.page + step));
      this.draw();
    });
    return button;
  }

  places(first, shown) {
    return { first: say(first + 1), last: say(first + shown), n: say(this.rows.length), all: say(this.total) };
  }

  show(rows) {
    this.rows = this.by ? rows.slice().sort(comparison(this.table, this.by, this.down)) : rows;
    this.page = 0;
    this.draw();
  }

  draw() {
    const first = this.page * PAGE;
    const shown = this.rows.slice(first, first + PAGE);
    this.body.replaceChildren(...shown.map((row) => make("tr", null, ...this.columns.map(function (column) {
      return make("td", { class: column.style }, column.cell(row));
    }))));
    keepWhole(this.body);
    if (NARROW.matches) stack(this.grid);
    this.columns.forEach((column, k) => {
      if (column.by && column.by === this.by) this.heads[k].setAttribute("aria-sort", this.down ? "descending" : "ascending");
      else this.heads[k].removeAttribute("aria-sort");
    });
    const end = first + PAGE >= this.rows.length;
    this.turns.forEach((button, k) => { 
      button.setAttribute("aria-disabled", k < 2 ? this.page === 0 : end);
      button.hidden = this.total <= PAGE;
    });
    this.said.textContent = this.rows.length
      ? (this.rows.length < this.total
        ? _("Rows {first} to {last} of {n}, out of {all}", this.places(first, shown.length))
        : _("Rows {first} to {last} of {n}", this.places(first, shown.length)))
      : (this.total ? _("None of {n} rows matches", { n: say(this.total) }) : _("No rows"));
    this.rest.textContent = end ? "" : this.said.textContent;
    measure();
  }
}

// What is too wide scrolls in a frame of its own, which the keyboard reaches only while it scrolls.
const FRAMES = ".scroll, .chart, .legend";
function measure() {
  const frames = Array.from(document.querySelectorAll(FRAMES), edges); // all are read before the first is written
  for (const { frame, wide, left, right } of frames) {
    fade(frame, left, right);
    const given = { tabindex: "0", role: "group", "aria-label": _("{part}, scrolls sideways", { part: frame.dataset.label || _("Chart") }) };
    for (const [name, value] of Object.entries(given)) {
      if (wide) frame.setAttribute(name, value);
      else frame.removeAttribute(name);
    }
  }
}

// Returns whether a frame is too narrow for what it holds, and on which sides more of it lies.
function edges(frame) {
  const rest = frame.scrollWidth - frame.clientWidth;
  return { frame: frame, wide: rest > 1, left: frame.scrollLeft > 1, right: frame.scrollLeft < rest - 1 };
}

function fade(frame, left, right) {
  frame.classList.toggle("more-left", left);
  frame.classList.toggle("more-right", right);
}

document.addEventListener("scroll", function (event) { // heard on its way down: it does not bubble
  if (!event.target.matches || !event.target.matches(FRAMES)) return;
  const { frame, left, right } = edges(event.target);
  fade(frame, left, right);
}, { capture: true, passive: true });
