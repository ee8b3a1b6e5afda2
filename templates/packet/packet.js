"use strict";
// The filters. Without this script the page reads as a static document; only text and `hidden` are ever set.
const form = document.querySelector(".filter");
const field = {};
for (const id of ["q", "r", "v", "s", "w", "k"]) field[id] = document.getElementById(id);

const controls = Array.from(document.querySelectorAll("article.control")).map(function (node) {
  const rows = Array.from(node.querySelectorAll("[data-row]"));
  return {
    node: node, id: node.id, status: node.dataset.status, severity: node.dataset.severity, owner: node.dataset.owner,
    maps: node.dataset.maps.split(" "),
    also: Array.from(document.querySelectorAll("[data-of]")).filter(function (each) { return each.dataset.of === node.id; }),
    head: (node.id + " " + node.querySelector("h2").textContent + " " +
      node.querySelector(".statement").textContent).toLowerCase(),
    rows: rows.map(function (row) {
      return { node: row, open: row.dataset.open === "1", kind: row.dataset.row, text: row.textContent.toLowerCase() };
    }),
  };
});
const byId = new Map(controls.map(function (control) { return [control.id, control]; }));
let annex = null; // the table of rows, once it is unpacked

function chosen(control) {
  return (!field.s.value || control.status === field.s.value) && (!field.v.value || control.severity === field.v.value) &&
    (!field.w.value || control.owner === field.w.value) && (!field.r.value || control.maps.includes(field.r.value));
}

// Whether a row is of the kind that is asked for.
function kindly(kind, open) {
  const wanted = field.k.value;
  return !wanted || (wanted === "open" ? kind === "exception" && open : kind === wanted);
}

function apply() {
  const wanted = field.q.value.trim().toLowerCase();
  const rows = matching(wanted);
  let shown = 0;
  for (const control of controls) {
    control.named = control.head.includes(wanted);
    let hits = 0;
    for (const row of control.rows) {
      const visible = kindly(row.kind, row.open) && (control.named || row.text.includes(wanted));
      row.node.hidden = !visible;
      hits += visible ? 1 : 0;
    }
    const any = hits > 0 || (rows !== null && rows.having.has(control.id));
    const visible = chosen(control) && (field.k.value ? any : control.named || any);
    control.node.hidden = !visible;
    for (const each of control.also) each.hidden = !visible;
    shown += visible ? 1 : 0;
  }
  document.getElementById("count").textContent = _("{n} of {all} controls", { n: say(shown), all: say(controls.length) });
  if (rows !== null) annex.show(rows.found);
  sheet(shown);
  measure();
}

// Rows of the annex that match, and the controls that have any; null until it is unpacked.
function matching(wanted) {
  if (annex === null) return null;
  const table = annex.table;
  const hit = wanted ? matcher(table, ["control", "item", "reason", "said", "observed", "expected"], wanted) : null;
  const ok = new Map(controls.map(function (c) { return [c.id, [chosen(c), c.head.includes(wanted)]]; }));
  const found = [];
  const having = new Set();
  for (let row = 0; row < table.n; row += 1) {
    const control = table.of("control", row);
    const [chosenOne, named] = ok.get(control) || [true, false];
    if (!chosenOne || !kindly(table.of("kind", row), table.of("open", row))) continue;
    if (hit !== null && !named && !hit(row)) continue;
    found.push(row);
    having.add(control);
  }
  return { found: found, having: having };
}

// What a sheet of paper must say: that it holds one page of the rows, and which filters were set.
function sheet(shown) {
  const set = Object.values(field).filter(function (f) { return f.value; }).map(function (f) {
    const words = f.selectedOptions ? f.selectedOptions[0].textContent : f.value;
    return document.querySelector("label[for=" + f.id + "]").textContent + ": " + words;
  });
  document.getElementById("sheet").textContent = [
    _("Printed from packet.html. Of the rows, at most one page of {n} is on paper; all are in data/findings.csv.", { n: PAGE }),
    set.length
      ? _("Filters were set ({filters}): {n} of {all} controls are printed.",
        { filters: set.join("; "), n: say(shown), all: say(controls.length) })
      : _("No filter was set."),
  ].join(" ");
}

function clear() { form.reset(); apply(); }

let waiting = 0;
function soon() { clearTimeout(waiting); waiting = setTimeout(apply, 60); }

async function openAnnex() {
  const place = document.getElementById("rows-table");
  const rows = await data("rows");
  annex = new Paged(place, rows, [
    { head: _("Record"), num: true, style: "num", width: "w-annex-few", cell: function (k) { return say(k + 1); } },
    { head: _("Control"), by: "control", width: "w-annex", cell: function (k) { return link(rows.of("control", k), rows.of("control", k)); } },
    { head: _("Item"), by: "item", style: "mono item", cell: function (k) { return link("row-" + (k + 1), rows.of("item", k)); } },
    { head: _("Reason"), by: "said", cell: function (k) { return rows.of("kind", k) === "review" ? _("To be reviewed: {reason}", { reason: rows.of("said", k) }) : rows.of("said", k); } },
    { head: _("Seen"), by: "first", width: "w-annex-seen", cell: function (k) {
      const [first, last] = [rows.of("since", k) || rows.of("first", k), rows.of("last", k)];
      return make("span", { class: "date" }, first === last ? first : _("{first} to", { first: first }) + "\n" + last);
    } },
    { head: _("Nights"), by: "run", num: true, style: "num", width: "w-annex-few", cell: function (k) { return say(rows.of("run", k)) + (rows.of("more", k) ? "+" : ""); } },
    { head: _("State"), by: "days", width: "w-annex-state", cell: function (k) {
      return rows.of("open", k) ? stateOf(rows, k) : rows.of("gone", k) ? _("gone after {n} d", { n: say(rows.of("days", k)) }) : _("past");
    } },
  ], _("Exceptions and review items"));
  apply();
}

async function openReceipts() {
  const receipts = await data("receipts");
  const place = document.getElementById("receipts-table");
  const table = receiptTable(place, receipts, _("All receipts"));
  const search = make("input", { id: "rq", type: "search", autocomplete: "off", spellcheck: "false" });
  const all = Array.from({ length: receipts.n }, function (_, k) { return k; });
  const look = function () {
    const wanted = search.value.trim().toLowerCase();
    const names = ["source", "dataset", "night", "outcome", "reason", "manifest", "folder"];
    table.show(wanted ? all.filter(matcher(receipts, names, wanted)) : all);
  };
  search.addEventListener("input", look);
  place.prepend(make("p", { class: "field" }, make("label", { for: "rq" }, _("Search receipts")), search));
  look();
}

// Static rows, controls and requirements become ways into the tables.
function connect() {
  for (const cell of document.querySelectorAll("[data-record]")) {
    cell.replaceChildren(link("row-" + cell.dataset.record, cell.textContent));
  }
  for (const way of document.querySelectorAll(".ways")) way.hidden = false;
  for (const way of document.querySelectorAll("[data-find]")) {
    way.addEventListener("click", function () { form.reset(); field.q.value = way.dataset.find; apply(); });
  }
  for (const place of document.querySelectorAll("[data-requirement]")) {
    const way = make("a", { href: "#find" }, place.textContent);
    way.addEventListener("click", function () { form.reset(); field.r.value = place.dataset.requirement; apply(); });
    place.replaceChildren(way);
  }
  document.addEventListener("click", function (event) { // a way to what a filter hides clears the filters
    const way = event.target.closest && event.target.closest("a[href^='#']");
    const control = way && byId.get(way.getAttribute("href").slice(1));
    if (control && control.node.hidden) clear();
  });
}

function failed() {
  for (const id of ["rows-table", "receipts-table"]) {
    const place = document.getElementById(id);
    place.replaceChildren(make("p", { class: "notice" },
      _("This browser cannot unpack the tables of this page. All rows are in data/findings.csv, all receipts below data/evidence/.")));
    place.hidden = false;
  }
}

form.hidden = false;
form.addEventListener("submit", function (event) { event.preventDefault(); });
form.addEventListener("reset", function () { setTimeout(apply, 0); });
for (const each of Object.values(field)) each.addEventListener("input", soon);
window.addEventListener("resize", measure);
window.addEventListener("beforeprint", function () {
  for (const each of document.querySelectorAll("details:not([open])")) { each.open = true; each.dataset.printed = "1"; }
});
window.addEventListener("afterprint", function () {
  for (const each of document.querySelectorAll("details[data-printed]")) { each.open = false; delete each.dataset.printed; }
});
connect();
keepWhole(document.getElementById("main"));
stackAll();
NARROW.addEventListener("change", function () { stackAll(); measure(); });
apply();
followReader();
setTimeout(function () { // after the first picture of the page
  openAnnex().then(openReceipts).then(follow).then(function () { document.body.dataset.ready = "1"; }).catch(failed);
}, 0);
