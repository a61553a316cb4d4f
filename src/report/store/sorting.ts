/**
 * Sorts tables of class "sortable" by a click on a column's name, numbers as numbers, and opens the trial that the
 * address names. The page's policy allows this one script by its digest. Without it tables keep their order, and
 * nothing is missing: names become buttons only here.
 */
export const SORTING = `"use strict";
const valueOf = (row, at) => {
  const { sort } = row.cells[at].dataset;
  return sort === undefined ? row.cells[at].textContent.trim() : sort;
};
const compare = (a, b) => {
  if (a === "" || b === "") return a === b ? 0 : NaN;
  const difference = Number(a) - Number(b);
  return Number.isNaN(difference) ? a.localeCompare(b, "en", { numeric: true }) : difference;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", way);
      const sign = way === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => ({ row, value: valueOf(row, at) }));
      rows.sort((a, b) => {
        const order = compare(a.value, b.value);
        // What has no value stands last, whichever way.
        return Number.isNaN(order) ? (a.value === "" ? 1 : -1) : sign * order;
      });
      body.append(...rows.map(({ row }) => row));
    });
  });
}
const open = () => {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named || named.tagName !== "DETAILS") return;
  named.open = true;
  named.scrollIntoView();
};
addEventListener("hashchange", open);
open();
`;
