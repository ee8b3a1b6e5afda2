// What helps in reading: contents that follow the reader, dates and arrows in one piece, tables that are lists on a narrow screen.
const WHOLE = /(\d{4}-\d\d-\d\d|->|<-)/;
const NARROW = matchMedia("(max-width:620px)");

// Browsers part 2026-07-01 and -> at their hyphens, and no style forbids that for these parts of a sentence alone.
function keepWhole(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (WHOLE.test(node.data) && !node.parentElement.closest(".date, .whole, pre, svg, option, script, style")) found.push(node);
  }
  for (const node of found) {
    node.replaceWith(...node.data.split(WHOLE).map(function (part, k) { return k % 2 ? make("span", { class: "whole" }, part) : part; }));
  }
}

// Each cell is told its column, so that it can stand on a line of its own; roles keep what the look takes away.
function stack(table) {
  if (!table.tHead) return;
  const heads = Array.from(table.tHead.rows[0].cells, function (head) { return (head.querySelector("button") || head).textContent; });
  table.classList.add("stacked");
  table.setAttribute("role", "table");
  for (const group of [table.tHead, ...table.tBodies]) group.setAttribute("role", "rowgroup");
  for (const row of table.rows) {
    row.setAttribute("role", "row");
    const body = row.parentElement !== table.tHead;
    Array.from(row.cells).forEach(function (cell, k) {
      cell.setAttribute("role", !body ? "columnheader" : cell.tagName === "TH" ? "rowheader" : "cell");
      if (body && row.cells.length === heads.length) cell.dataset.head = heads[k];
    });
  }
}

function stackAll() {
  if (NARROW.matches) for (const table of document.querySelectorAll("table.grid")) stack(table);
}

// Marks where the reader is: the last of what the contents name that begins above the upper third of the window.
function followReader() {
  const contents = document.getElementById("contents");
  const ways = new Map();
  for (const way of contents.querySelectorAll("a")) {
    const target = document.getElementById(way.hash.slice(1));
    if (target && !ways.has(target)) ways.set(target, way);
  }
  const begun = new Set();
  let here = null;
  const watch = new IntersectionObserver(function (entries) {
    for (const entry of entries) {
      if (entry.isIntersecting) begun.add(entry.target);
      else begun.delete(entry.target);
    }
    const target = Array.from(ways.keys()).filter(function (each) { return begun.has(each); }).reduce(function (last, each) {
      return last && last.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_PRECEDING ? last : each;
    }, null);
    const way = target && ways.get(target);
    if (way === here) return;
    if (here) here.removeAttribute("aria-current");
    here = way;
    if (!way) return;
    way.setAttribute("aria-current", "location");
    if (contents.matches(":hover")) return; // who looks for something there is not interrupted
    const [line, frame] = [way.getBoundingClientRect(), contents.getBoundingClientRect()];
    if (line.top < frame.top || line.bottom > frame.bottom) contents.scrollTop += line.top - frame.top - frame.height / 3;
  }, { rootMargin: "10000000px 0px -66% 0px" });
  for (const target of ways.keys()) watch.observe(target);
}
