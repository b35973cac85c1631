// The leaderboard is in the page already; here its rows are put in another order, and hidden.

const board = byId("board");
const body = board.tBodies[0];
const heads = [...board.tHead.rows[0].cells];

/** Sort by one column; whatever has no value comes last either way, and equal rows keep their order. */
function sortBoard(column) {
  const head = heads[column];
  const before = head.getAttribute("aria-sort");
  const direction = before === null ? head.dataset.first : before === "ascending" ? "descending" : "ascending";
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", direction);
  const isNumber = head.classList.contains("number");
  const sign = direction === "ascending" ? 1 : -1;
  const valueOf = (row) => row.cells[column].dataset.value;
  const rows = [...body.rows].sort((one, two) => {
    const [first, second] = [valueOf(one), valueOf(two)];
    if (first === undefined || second === undefined) return (first === undefined) - (second === undefined);
    return sign * (isNumber ? first - second : first.localeCompare(second, "en", { numeric: true }));
  });
  body.append(...rows);
}

/** Hide what does not fit the filters, and say how much is left. */
function filterBoard() {
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const [task, side] = [byId("task").value, byId("side").value];
  let shown = 0;
  for (const row of body.rows) {
    const text = [0, 1, 2].map((column) => row.cells[column].textContent).join(" ").toLowerCase();
    const fits = words.every((word) => text.includes(word));
    row.hidden = !fits || (task !== "" && row.dataset.task !== task) || (side !== "" && row.dataset.kind !== side);
    shown += !row.hidden;
  }
  byId("shown").textContent = `${inThousands(shown)} of ${inThousands(body.rows.length)} shown`;
}

heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => sortBoard(column)));
byId("find").addEventListener("input", filterBoard);
byId("side").addEventListener("change", filterBoard);
byId("task").addEventListener("change", () => {
  filterBoard();
  showTask(byId("task").value);
});
filterBoard();
