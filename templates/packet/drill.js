"use strict";
// From an item to its nights, from a night to the receipts it rests on: one dialog, one address for each view
// (#row-17, #night-CONTROL-2026-07-01, #receipt-45), so that the browser's own Back works and an address can be cited.
const drill = document.getElementById("drill");
const STATUS = {
  "satisfied": "no exceptions", "not-satisfied": "exceptions", "not-assessed": "not assessed",
  "not-applicable": "not applicable",
};

function many(n, word) { return say(n) + " " + word + (n === 1 ? "" : "s"); }

function link(address, words) { return make("a", { href: "#" + address }, words); }

function facts(pairs) {
  const rows = pairs.filter(function (pair) { return pair[1] !== "" && pair[1] !== null; });
  return make("table", { class: "facts" }, make("colgroup", null, make("col", { class: "fact-name" }), make("col")),
    make("tbody", null, ...rows.map(function (pair) {
      return make("tr", null, make("th", { scope: "row" }, pair[0]), make("td", { class: "item" }, pair[1]));
    })));
}

function stateOf(rows, row) {
  if (rows.of("open", row)) return "open, " + say(rows.of("days", row)) + " d";
  const gone = rows.of("gone", row);
  return gone ? "gone " + gone + ", after " + say(rows.of("days", row)) + " d" : "ended";
}

function waived(rows, row) {
  const by = rows.of("waivers", row);
  if (!by) return "";
  return "under " + by + " on " + say(rows.of("waived", row)) + " of " + many(rows.of("nights", row), "night");
}

function receiptsOf(nights, night) {
  const runs = nights.of("inputs", night);
  const found = [];
  for (let k = 0; k < runs.length; k += 2) for (let n = 0; n < runs[k + 1]; n += 1) found.push(runs[k] + n);
  return found;
}

function nightsOf(nights, control, first, last) {
  const found = [];
  for (let k = 0; k < nights.n; k += 1) {
    const night = nights.of("night", k);
    if (nights.of("control", k) === control && night >= first && night <= last) found.push(k);
  }
  return found;
}

function requirementsOf(control) {
  const page = document.getElementById(control);
  const cited = page ? page.querySelectorAll(".cited a") : [];
  const list = make("span");
  cited.forEach(function (a, k) {
    if (k) list.append(", ");
    list.append(make("a", { href: a.getAttribute("href") }, a.textContent));
  });
  return cited.length ? list : "";
}

// A night that was not assessed has no counts: a nought would read as if nothing had been found.
function tested(nights, k) { return nights.of("status", k) !== "not-assessed" || nights.of("population", k) > 0; }
function counted(nights, k, name) { return tested(nights, k) ? say(nights.of(name, k)) : "not tested"; }

async function rowView(number) {
  const [rows, nights] = [await data("rows"), await data("nights")];
  const row = number - 1;
  if (!(row >= 0 && row < rows.n)) return null;
  const control = rows.of("control", row);
  const found = nightsOf(nights, control, rows.of("first", row), rows.of("last", row));
  const place = make("div", { class: "paged" });
  const table = new Paged(place, nights, [
    { head: "Night", by: "night", width: "w-date", style: "date", cell: function (k) {
      return link("night-" + control + "-" + nights.of("night", k), nights.of("night", k));
    } },
    { head: "Result of the control", by: "status", cell: function (k) { return STATUS[nights.of("status", k)]; } },
    { head: "Population", by: "population", num: true, style: "num", width: "w-conclusion", cell: function (k) { return counted(nights, k, "population"); } },
    { head: "Exceptions", by: "exceptions", num: true, style: "num", width: "w-conclusion", cell: function (k) { return counted(nights, k, "exceptions"); } },
    { head: "Receipts", num: true, style: "num", width: "w-date", cell: function (k) { return say(receiptsOf(nights, k).length); } },
  ], "Nights of the control in this run", found.length);
  table.show(found);
  return [rows.of("item", row), facts([
    ["Record", "record " + say(number) + " of data/findings.csv: " + rows.of("kind", row)],
    ["Control", link(control, control)],
    ["Requirements", requirementsOf(control)],
    ["Reason", rows.of("said", row) + " (" + rows.of("reason", row) + ")"],
    ["Observed", rows.of("observed", row)], ["Expected", rows.of("expected", row)],
    ["Seen", rows.of("first", row) + " to " + rows.of("last", row) + ", noted on " + many(rows.of("nights", row), "night")],
    ["State", stateOf(rows, row)], ["Accepted", waived(rows, row)],
    ["Management's answer", rows.of("answer", row)],
  ]), make("h3", null, "Nights"), place];
}

async function nightView(control, night) {
  const [nights, receipts] = [await data("nights"), await data("receipts")];
  const around = nightsOf(nights, control, "", "~");
  const here = around.findIndex(function (k) { return nights.of("night", k) === night; });
  const steps = make("p", { class: "steps" });
  const near = here < 0 ? [] : [[here - 1, "Night before"], [here + 1, "Night after"]];
  for (const [place, words] of near) {
    if (around[place] !== undefined) steps.append(link("night-" + control + "-" + nights.of("night", around[place]), words), " ");
  }
  if (here < 0) {
    const list = around.map(function (k) { return nights.of("night", k); });
    const last = list.length ? make("p", null, link("night-" + control + "-" + list[list.length - 1], "Last night with a finding")) : "";
    return [control + ", " + night, make("p", null, "No finding is sealed for this night."), last];
  }
  const k = around[here];
  const place = make("div", { class: "paged" });
  const rest = receiptsOf(nights, k);
  receiptTable(place, receipts, "Receipts this night rests on", rest.length).show(rest);
  return [control + ", " + night, facts([
    ["Control", link(control, control)], ["Requirements", requirementsOf(control)],
    ["Result", STATUS[nights.of("status", k)]], ["Why", nights.of("reason", k)],
    ["Population", tested(nights, k) ? many(nights.of("population", k), "item") + ", " + say(nights.of("passed", k)) + " passed" : "not tested"],
    ["Noted", tested(nights, k) ? many(nights.of("exceptions", k), "exception") + ", " + many(nights.of("reviews", k), "review item") : ""],
  ]), steps, make("h3", null, "Receipts"), place];
}

async function receiptView(number) {
  const receipts = await data("receipts");
  const k = number - 1;
  if (!(k >= 0 && k < receipts.n)) return null;
  const of = function (name) { return receipts.of(name, k); };
  const folder = of("folder");
  return [of("dataset") + ", " + of("night"), facts([
    ["Source", of("source")], ["Dataset", of("dataset")], ["Night, revision", of("night") + ", " + say(of("revision"))],
    ["Outcome", of("outcome")], ["Why", of("reason")],
    ["Settled", of("finality")],
    ["As of", of("as_of") + (of("claimed") ? ", the exporter's claim" : "")],
    ["Rows", say(of("stated")) + " stated by the source, " + say(of("landed")) + " landed, " + say(of("aside")) + " set aside"],
    ["Values treated", say(of("masked")) + " masked, hashed or dropped before they were written"],
    ["Manifest SHA-256", make("span", { class: "mono" }, of("manifest"))],
    ["Log entry", of("entry") === null ? "not exhibited" : say(of("entry"))],
    ["In the packet", folder ? make("span", { class: "mono" }, folder + "/") : ""],
    ["To check it alone", folder ? make("code", null, "evidence verify " + folder + " --trust log.vkey") : ""],
  ])];
}

function receiptTable(root, receipts, what, total) {
  const number = function (head, name) {
    return { head: head, by: name, num: true, style: "num", width: "w-rows", cell: function (k) { return say(receipts.of(name, k)); } };
  };
  return new Paged(root, receipts, [
    { head: "Dataset", by: "dataset", style: "mono item", cell: function (k) { return link("receipt-" + (k + 1), receipts.of("dataset", k)); } },
    { head: "Source", by: "source", width: "w-rows", cell: function (k) { return receipts.of("source", k); } },
    { head: "Night", by: "night", width: "w-rows", style: "date", cell: function (k) { return receipts.of("night", k); } },
    { head: "Outcome", by: "outcome", width: "w-state", cell: function (k) { return receipts.of("outcome", k); } },
    number("Rows stated", "stated"), number("Rows landed", "landed"), number("Log entry", "entry"),
  ], what, total);
}

const VIEWS = [
  [/^#row-(\d+)$/, function (found) { return rowView(Number(found[1])); }],
  [/^#night-(.+)-(\d{4}-\d\d-\d\d)$/, function (found) { return nightView(found[1], found[2]); }],
  [/^#receipt-(\d+)$/, function (found) { return receiptView(Number(found[1])); }],
];

async function follow() {
  const address = location.hash;
  for (const [pattern, view] of VIEWS) {
    const found = pattern.exec(address);
    const parts = found && await view(found).catch(function () { return null; });
    if (!parts || location.hash !== address) continue;
    document.getElementById("drill-title").textContent = parts[0];
    document.getElementById("drill-body").replaceChildren(...parts.slice(1).filter(Boolean));
    if (!drill.open) drill.showModal();
    drill.scrollTop = 0;
    document.getElementById("drill-title").focus();
    measure();
    return;
  }
  if (drill.open) drill.close();
}

drill.addEventListener("close", function () {
  if (VIEWS.some(function (view) { return view[0].test(location.hash); })) history.replaceState(null, "", "#annex");
});
document.getElementById("drill-close").addEventListener("click", function () { drill.close(); });
document.getElementById("drill-back").addEventListener("click", function () { history.back(); });
window.addEventListener("hashchange", follow);
