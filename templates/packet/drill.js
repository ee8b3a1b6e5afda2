"use strict";
// From an item to its nights, from a night to the receipts it rests on: one dialog, one address for each view
// (#row-17, #night-CONTROL-2026-07-01, #receipt-45), so that the browser's own Back works and an address can be cited.
const drill = document.getElementById("drill");
const STATUS = {
  "satisfied": _("no exceptions"), "not-satisfied": _("exceptions"), "not-assessed": _("not assessed"),
  "not-applicable": _("not applicable"),
};

const KIND = { exception: _("exception"), review: _("review item") };

function link(address, words) { return make("a", { href: "#" + address }, words); }

function facts(pairs) {
  const rows = pairs.filter(function (pair) { return pair[1] !== "" && pair[1] !== null; });
  return make("table", { class: "facts" }, make("colgroup", null, make("col", { class: "fact-name" }), make("col")),
    make("tbody", null, ...rows.map(function (pair) {
      return make("tr", null, make("th", { scope: "row" }, pair[0]), make("td", { class: "item" }, pair[1]));
    })));
}

function stateOf(rows, row) {
  if (rows.of("open", row)) {
    const days = { n: say(rows.of("days", row)) };
    return rows.of("more", row) ? _("open, {n} d or more", days) : _("open, {n} d", days);
  }
  const gone = rows.of("gone", row);
  return gone ? _("gone {night}, after {n} d", { night: gone, n: say(rows.of("days", row)) }) : _("past");
}

function waived(rows, row) {
  const by = rows.of("waivers", row);
  if (!by) return "";
  return _("under {waiver} on {n} of {all} nights", { waiver: by, n: say(rows.of("waived", row)), all: say(rows.of("nights", row)) });
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
function counted(nights, k, name) { return tested(nights, k) ? say(nights.of(name, k)) : _("not tested"); }

async function rowView(number) {
  const [rows, nights] = [await data("rows"), await data("nights")];
  const row = number - 1;
  if (!(row >= 0 && row < rows.n)) return null;
  const control = rows.of("control", row);
  const found = nightsOf(nights, control, rows.of("first", row), rows.of("last", row));
  const place = make("div", { class: "paged" });
  const table = new Paged(place, nights, [
    { head: _("Night"), by: "night", width: "w-date", style: "date", cell: function (k) {
      return link("night-" + control + "-" + nights.of("night", k), nights.of("night", k));
    } },
    { head: _("Result of the control"), by: "status", cell: function (k) { return STATUS[nights.of("status", k)]; } },
    { head: _("Population"), by: "population", num: true, style: "num", width: "w-conclusion", cell: function (k) { return counted(nights, k, "population"); } },
    { head: _("Exceptions"), by: "exceptions", num: true, style: "num", width: "w-conclusion", cell: function (k) { return counted(nights, k, "exceptions"); } },
    { head: _("Receipts"), num: true, style: "num", width: "w-date", cell: function (k) { return say(receiptsOf(nights, k).length); } },
  ], _("Nights of the control in this run"), found.length);
  table.show(found);
  return [rows.of("item", row), facts([
    [_("Record"), _("record {n} of data/findings.csv: {kind}", { n: say(number), kind: KIND[rows.of("kind", row)] })],
    [_("Control"), link(control, control)],
    [_("Requirements"), requirementsOf(control)],
    [_("Reason"), rows.of("said", row) + " (" + rows.of("reason", row) + ")"],
    [_("Observed"), rows.of("observed", row)], [_("Expected"), rows.of("expected", row)],
    [_("Failing since"), rows.of("since", row)],
    [_("Seen"), _("{first} to {last}, nights noted: {n}", { first: rows.of("first", row), last: rows.of("last", row), n: say(rows.of("nights", row)) })],
    [_("State"), stateOf(rows, row)], [_("Accepted"), waived(rows, row)],
    [_("Management's answer"), rows.of("answer", row)],
  ]), make("h3", null, _("Nights")), place];
}

async function nightView(control, night) {
  const [nights, receipts] = [await data("nights"), await data("receipts")];
  const around = nightsOf(nights, control, "", "~");
  const here = around.findIndex(function (k) { return nights.of("night", k) === night; });
  const steps = make("p", { class: "steps" });
  const near = here < 0 ? [] : [[here - 1, _("Night before")], [here + 1, _("Night after")]];
  for (const [place, words] of near) {
    if (around[place] !== undefined) steps.append(link("night-" + control + "-" + nights.of("night", around[place]), words), " ");
  }
  if (here < 0) {
    const list = around.map(function (k) { return nights.of("night", k); });
    const last = list.length ? make("p", null, link("night-" + control + "-" + list[list.length - 1], _("Last night with a finding"))) : "";
    return [control + ", " + night, make("p", null, _("No finding is sealed for this night.")), last];
  }
  const k = around[here];
  const place = make("div", { class: "paged" });
  const rest = receiptsOf(nights, k);
  receiptTable(place, receipts, _("Receipts this night rests on"), rest.length).show(rest);
  return [control + ", " + night, facts([
    [_("Control"), link(control, control)], [_("Requirements"), requirementsOf(control)],
    [_("Result"), STATUS[nights.of("status", k)]], [_("Why"), nights.of("reason", k)],
    [_("Population"), !tested(nights, k) ? _("not tested") : _("{n} items, {passed} passed", { n: say(nights.of("population", k)), passed: say(nights.of("passed", k)) })],
    [_("Noted"), !tested(nights, k) ? "" : _("exceptions: {n}, review items: {reviews}", { n: say(nights.of("exceptions", k)), reviews: say(nights.of("reviews", k)) })],
  ]), steps, make("h3", null, _("Receipts")), place];
}

async function receiptView(number) {
  const receipts = await data("receipts");
  const k = number - 1;
  if (!(k >= 0 && k < receipts.n)) return null;
  const of = function (name) { return receipts.of(name, k); };
  const folder = of("folder");
  return [of("dataset") + ", " + of("night"), facts([
    [_("Source"), of("source")], [_("Dataset"), of("dataset")], [_("Night, revision"), of("night") + ", " + say(of("revision"))],
    [_("Outcome"), of("outcome")], [_("Why"), of("reason")],
    [_("Settled"), of("finality")],
    [_("As of"), of("claimed") ? _("{time}, the exporter's claim", { time: of("as_of") }) : of("as_of")],
    [_("Rows"), _("{stated} stated by the source, {landed} landed, {aside} quarantined", { stated: say(of("stated")), landed: say(of("landed")), aside: say(of("aside")) })],
    [_("Values treated"), _("{n} masked, hashed or dropped before they were written", { n: say(of("masked")) })],
    [_("Manifest SHA-256"), make("span", { class: "mono" }, of("manifest"))],
    [_("Log entry"), of("entry") === null ? _("not exhibited") : say(of("entry"))],
    [_("In the packet"), folder ? make("span", { class: "mono" }, folder + "/") : ""],
    [_("To check it alone"), folder ? make("code", null, "evidence verify " + folder + " --trust log.vkey") : ""],
  ])];
}

function receiptTable(root, receipts, what, total) {
  const number = function (head, name) {
    return { head: head, by: name, num: true, style: "num", width: "w-rows", cell: function (k) { return say(receipts.of(name, k)); } };
  };
  return new Paged(root, receipts, [
    { head: _("Dataset"), by: "dataset", style: "mono item", cell: function (k) { return link("receipt-" + (k + 1), receipts.of("dataset", k)); } },
    { head: _("Source"), by: "source", width: "w-rows", cell: function (k) { return receipts.of("source", k); } },
    { head: _("Night"), by: "night", width: "w-rows", style: "date", cell: function (k) { return receipts.of("night", k); } },
    { head: _("Outcome"), by: "outcome", width: "w-state", cell: function (k) { return receipts.of("outcome", k); } },
    number(_("Rows stated"), "stated"), number(_("Rows landed"), "landed"), number(_("Log entry"), "entry"),
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
    keepWhole(document.getElementById("drill-body"));
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
