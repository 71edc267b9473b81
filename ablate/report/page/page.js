"use strict";
// Sortable tables: a button in each head of a column; ascending, descending, the study's order.
(() => {
  const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });
  const status = document.getElementById("sorted");

  // In a column of numbers, words such as "not tested yet" say why there is none.
  function key(row, column, numeric) {
    const cell = row.cells[column];
    if (!cell) return null;
    if (numeric) return hasNumber(row, column) ? Number(cell.dataset.value) : null;
    const text = cell.textContent.trim();
    return text === "" || text === "\u2014" ? null : text;
  }

  function hasNumber(row, column) {
    return row.cells[column]?.dataset.value !== undefined;
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return collator.compare(String(a), String(b));
  }

  function makeSortable(table) {
    const head = table.tHead && table.tHead.rows[table.tHead.rows.length - 1];
    const bodies = [...table.tBodies];
    const homes = bodies.map((body) => [body, [...body.rows]]);
    const rows = homes.flatMap(([, all]) => all).filter((row) => !row.matches(".group"));
    if (!head || rows.length < 2) return;

    function restore() {
      for (const [body, all] of homes) {
        body.append(...all);
        body.hidden = false;
      }
      for (const row of table.querySelectorAll("tr.group")) row.hidden = false;
    }

    function sort(column, sign) {
      restore();
      const known = [], unknown = [];
      const numeric = rows.some((row) => hasNumber(row, column));
      for (const row of rows) {
        const value = key(row, column, numeric);
        if (value === null) unknown.push(row);
        else known.push([value, row]);
      }
      known.sort((a, b) => sign * compare(a[0], b[0]));
      bodies[0].append(...known.map((pair) => pair[1]), ...unknown);
      for (const row of table.querySelectorAll("tr.group")) row.hidden = true;
      for (const body of bodies.slice(1)) body.hidden = true;
    }

    function turn(th, name) {
      const now = th.getAttribute("aria-sort");
      const next = { ascending: "descending", descending: null }[now];
      const order = now === null ? "ascending" : next;
      for (const other of head.cells) other.removeAttribute("aria-sort");
      if (order) {
        th.setAttribute("aria-sort", order);
        sort(th.cellIndex, order === "ascending" ? 1 : -1);
      } else {
        restore();
      }
      status.textContent = order ? `Sorted by ${name}, ${order}.` : "In the study\u2019s order.";
    }

    for (const th of head.cells) {
      const above = [...table.tHead.rows].map((row) => row.cells[th.cellIndex]);
      const name = above.map((cell) => cell.textContent.trim()).filter(Boolean).join(", ");
      const button = document.createElement("button");
      button.type = "button";
      button.title = `Sort by ${name || "label"}`;
      button.append(...th.childNodes);
      if (button.textContent === "") button.setAttribute("aria-label", button.title);
      button.addEventListener("click", () => turn(th, name || "label"));
      th.append(button);
    }
  }

  // Folded sections open where a link leads to them, and on paper.
  function unfold(section) {
    const folded = section && section.querySelector(":scope > details");
    if (folded) folded.open = true;
  }

  function unfoldTarget() {
    if (location.hash) unfold(document.getElementById(location.hash.slice(1)));
  }

  document.querySelectorAll("table").forEach(makeSortable);
  addEventListener("hashchange", unfoldTarget);
  addEventListener("beforeprint", () => document.querySelectorAll("section").forEach(unfold));
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", () => unfold(document.querySelector(link.hash)));
  }
  unfoldTarget();
})();
