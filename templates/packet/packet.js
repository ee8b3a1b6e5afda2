"use strict";
// Filters what is already on the page; without it the page reads as a static document. Only textContent and hidden are set.
(function () {
  const form = document.querySelector(".filter");
  const query = document.getElementById("q");
  const status = document.getElementById("s");
  const onlyOpen = document.getElementById("o");
  const count = document.getElementById("count");
  const controls = Array.from(document.querySelectorAll("article.control")).map(function (node) {
    const rows = Array.from(node.querySelectorAll("[data-row]"));
    return {
      node: node,
      status: node.dataset.status,
      head: (node.id + " " + node.querySelector("h2").textContent + " " +
        node.querySelector(".statement").textContent).toLowerCase(),
      rows: rows.map(function (row) {
        return { node: row, open: row.dataset.open === "1", text: row.textContent.toLowerCase() };
      }),
    };
  });
  function apply() {
    const wanted = query.value.trim().toLowerCase();
    let shown = 0;
    let exceptions = 0;
    for (const control of controls) {
      const named = control.head.includes(wanted);
      let hits = 0;
      for (const row of control.rows) {
        const visible = (!onlyOpen.checked || row.open) && (named || row.text.includes(wanted));
        row.node.hidden = !visible;
        hits += visible ? 1 : 0;
      }
      const visible = (!status.value || control.status === status.value) && (named || hits > 0) &&
        (!onlyOpen.checked || hits > 0);
      control.node.hidden = !visible;
      shown += visible ? 1 : 0;
      exceptions += visible ? hits : 0;
    }
    count.textContent = shown + " of " + controls.length + " controls, " + exceptions + " rows shown";
  }
  form.hidden = false;
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  for (const field of [query, status, onlyOpen]) field.addEventListener("input", apply);
  for (const link of document.querySelectorAll(".side-controls a, .glance a, .open a")) {
    link.addEventListener("click", function () {
      query.value = ""; status.value = ""; onlyOpen.checked = false; apply();
    });
  }
  apply();
})();
