// The two plots. plotly reads a few tags in texts, so every text that it gets is escaped for it.

const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const SYMBOLS = { encoder: "circle", prompted: "square", adapted: "diamond", baseline: "triangle-up" };
const isNarrow = () => innerWidth < 700;
const config = () => ({
  responsive: true,
  displaylogo: false,
  // Named one by one: plotly's own choice has a button that sends the chart to its maker's server.
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  plotlyServerURL: "",
  toImageButtonOptions: { filename: "beatingbert" },
  displayModeBar: isNarrow() ? false : "hover",
});
const AXES = {
  p50: "latency of one question, median (ms)",
  cost: "machine time, loading and training included",
  price: `price of a million answers (${plain(data.currency)})`,
  memory: "memory while answering (MiB)",
};
const LABELLED = 14; // with more points than this their names would cover each other

/** Tasks by how much there is to see of them. */
function tasksOf(items) {
  const counts = new Map();
  for (const item of items) counts.set(item.task, (counts.get(item.task) ?? 0) + 1);
  return [...counts.keys()].sort((one, two) => counts.get(two) - counts.get(one));
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const shorten = (text, most = 44) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** Seconds to load, to train and to answer so many questions in batches. */
const costOf = (row, questions) => row.before + questions / row.perSecond;

function bars(estimates, name) {
  return {
    type: "data",
    symmetric: false,
    array: estimates.map(([value, , high]) => 100 * (high - value)),
    arrayminus: estimates.map(([value, low]) => 100 * (value - low)),
    color: colour(name),
    thickness: 1.2,
    width: 0,
  };
}

function layout(title, more) {
  const font = { family: "system-ui, sans-serif", size: 13, color: colour("ink") };
  const axis = { gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, automargin: true };
  return {
    font,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 60, r: 24, t: 24, b: 56 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("soft"), activecolor: colour("accent") },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", itemsizing: "constant" },
    hoverlabel: { align: "left", bgcolor: colour("paper"), bordercolor: colour("line"), font: { ...font, size: isNarrow() ? 11 : 13 } },
    hovermode: "closest",
    xaxis: { ...axis, title: { text: title, font }, ...more },
    yaxis: { ...axis, title: { text: "accuracy (%)", font } },
  };
}

/** Points that none other is at least as accurate as at no more of x, from left to right. */
function frontier(points) {
  const best = [];
  for (const point of [...points].sort((one, two) => one.x - two.x || two.y - one.y)) {
    if (best.length === 0 || point.y > best[best.length - 1].y) best.push(point);
  }
  return best;
}

function hover(row, questions) {
  const [value, low, high] = row.accuracy.map(inPercent);
  return [
    `<b>${plain(row.name)}</b>`,
    `accuracy ${value} [${low}, ${high}]`,
    `latency ${inWords(row.p50 / 1000)}, 95 of 100 under ${inWords(row.p95 / 1000)}`,
    `${inThousands(Math.round(row.perSecond))} per second in batches`,
    `training ${row.training > 0 ? inWords(row.training) : "none"}`,
    `${inThousands(questions)} questions take ${inWords(costOf(row, questions))} of machine time`,
    row.price === null ? "" : `a million answers cost ${row.price.toPrecision(3)} ${plain(data.currency)}`,
    `${row.memory === null ? "unknown memory" : `${inThousands(Math.round(row.memory))} MiB`} on machine ${plain(row.machine)}`,
  ].filter(Boolean).join("<br>");
}

/** Where each point's name stands, so that no name lies on another; a name that finds no room is left to the pointer. */
function placeNames(points) {
  const [width, height] = [byId("plot").clientWidth - 84, byId("plot").clientHeight - 80]; // without the margins
  const scale = (values, size) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return (value) => size * (0.06 + (0.88 * (value - low)) / (high - low || 1)); // as plotly leaves room around
  };
  const across = scale(points.map((point) => Math.log10(point.x)), width);
  const up = scale(points.flatMap((point) => [100 * point.row.accuracy[1], 100 * point.row.accuracy[2]]), height);
  const middle = median(points);
  const taken = points.map((point) => [across(Math.log10(point.x)) - 6, up(point.y) - 6, across(Math.log10(point.x)) + 6, up(point.y) + 6]);
  const places = new Map();
  for (const point of [...points].sort((one, two) => two.y - one.y)) {
    const [x, y, long] = [across(Math.log10(point.x)), up(point.y), 12 + 6.6 * shorten(point.row.name).length];
    const sides = point.x > middle ? ["left", "right"] : ["right", "left"];
    const found = ["top", "bottom", "middle"].flatMap((rise) => sides.map((side) => [rise, side])).find(([rise, side]) => {
      const [left, low] = [side === "right" ? x + 7 : x - 7 - long, y + { top: 6, bottom: -22, middle: -8 }[rise]];
      const box = [left, low, left + long, low + 16];
      if (left < -40 || left + long > width + 20 || taken.some((other) => meet(box, other))) return false;
      taken.push(box);
      return true;
    });
    if (found) places.set(point, found.join(" "));
  }
  return places;
}

const meet = (one, two) => one[0] < two[2] && two[0] < one[2] && one[1] < two[3] && two[1] < one[3];

/** Ticks of a logarithmic axis of seconds, in words. */
function timeTicks(points) {
  const marks = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000, 86400, 864000, 8640000];
  const [low, high] = [Math.min(...points.map((p) => p.x)), Math.max(...points.map((p) => p.x))];
  const near = marks.filter((mark) => mark > low / 12 && mark < high * 12);
  return { tickvals: near, ticktext: near.map((mark) => inWords(mark).replace(".0", "")) };
}

/** Those that can be compared in what is asked: of one machine, unless it is money. */
function comparable(rows, across) {
  const counts = new Map();
  for (const row of rows) counts.set(row.machine, (counts.get(row.machine) ?? 0) + 1);
  const machines = [...counts.keys()].sort((one, two) => counts.get(two) - counts.get(one));
  const isOffered = machines.length > 1 && across !== "price";
  byId("machine-choice").hidden = !isOffered;
  if (!isOffered) return rows;
  setOptions(byId("machine"), machines.map((machine) => [machine, `${machine} (${counts.get(machine)})`]));
  return rows.filter((row) => row.machine === byId("machine").value);
}

function drawTradeoff() {
  const [across, questions] = [byId("across").value, Number(byId("volume").value)];
  const rows = comparable(data.rows.filter((row) => row.task === byId("plot-task").value), across);
  const measure = (row) => (across === "cost" ? costOf(row, questions) : row[across]);
  const points = rows.map((row) => ({ row, x: measure(row), y: 100 * row.accuracy[0] })).filter((point) => point.x !== null && point.x > 0);
  const most = Math.max(...rows.map((row) => costOf(row, questions)));
  const size = (row) => 9 + 20 * Math.sqrt(costOf(row, questions) / most);
  const line = frontier(points);
  const names = points.length <= LABELLED && !isNarrow() ? placeNames(points) : new Map();
  const traces = [
    {
      x: line.map((point) => point.x),
      y: line.map((point) => point.y),
      mode: "lines",
      line: { shape: "hv", dash: "dot", width: 1.5, color: colour("soft") },
      hoverinfo: "skip",
      showlegend: false,
    },
  ];
  for (const [kind, words] of Object.entries(data.kinds)) {
    const own = points.filter((point) => point.row.kind === kind);
    if (own.length === 0) continue;
    traces.push({
      x: own.map((point) => point.x),
      y: own.map((point) => point.y),
      name: words,
      mode: names.size > 0 ? "markers+text" : "markers",
      text: own.map((point) => (names.has(point) ? plain(shorten(point.row.name)) : "")),
      textposition: own.map((point) => names.get(point) ?? "top right"),
      textfont: { size: 12, color: colour("soft") },
      cliponaxis: false,
      hovertext: own.map((point) => hover(point.row, questions)),
      hoverinfo: "text",
      error_y: bars(own.map((point) => point.row.accuracy), kind),
      marker: { color: colour(kind), symbol: SYMBOLS[kind], size: own.map((point) => size(point.row)), opacity: 0.85, line: { width: 1, color: colour("paper") } },
    });
  }
  const ticks = across === "cost" && points.length > 0 ? timeTicks(points) : { dtick: 1, exponentformat: "none" };
  Plotly.react("plot", traces, layout(AXES[across], { type: "log", ...ticks }), config());
}

const median = (points) => points.map((point) => point.x).sort((one, two) => one - two)[Math.floor(points.length / 2)];

function drawCurves() {
  const curves = data.curves.filter((curve) => curve.task === byId("curve-task").value);
  const sizes = curves.flatMap((curve) => curve.points.map(([rows]) => rows)).filter((rows) => rows > 0);
  const [fewest, most] = [Math.min(...sizes), Math.max(...sizes)];
  const dashes = { lines: ["dash", "dot", "dashdot", "longdash"], "lines+markers": ["solid", "dash", "dot", "dashdot"] };
  const seen = {};
  const traces = curves.map((curve) => {
    const isLevel = curve.points[0][0] === 0;
    const mode = isLevel ? "lines" : "lines+markers";
    const nth = (seen[mode + curve.kind] = (seen[mode + curve.kind] ?? -1) + 1);
    const points = isLevel ? [fewest, most].map((rows) => [rows, ...curve.points[0].slice(1)]) : curve.points;
    const estimates = points.map(([, ...estimate]) => estimate);
    return {
      x: points.map(([rows]) => rows),
      y: estimates.map(([value]) => 100 * value),
      name: plain(shorten(curve.name, 60)),
      showlegend: !isLevel,
      mode: isLevel ? "lines+text" : mode,
      text: isLevel ? [0, 1].map((end) => (end === nth % 2 ? plain(shorten(curve.name, 40)) : "")) : "",
      textposition: isLevel ? ["top right", "top left"] : "top right", // neighbours are named at either end
      textfont: { size: 12, color: colour("soft") },
      line: { color: colour(curve.kind), width: isLevel ? 1.3 : 1.8, dash: dashes[mode][nth % 4] },
      marker: { symbol: SYMBOLS[curve.kind], size: 8 },
      error_y: isLevel ? undefined : bars(estimates, curve.kind),
      hovertext: points.map(([rows, value, low, high, seeds]) =>
        [
          `<b>${plain(curve.name)}</b>`,
          `accuracy ${inPercent(value)} [${inPercent(low)}, ${inPercent(high)}]`,
          isLevel ? "not trained on the task" : `${inThousands(rows)} train rows`,
          seeds > 1 ? `mean of ${seeds} seeds` : "one seed",
        ].join("<br>"),
      ),
      hoverinfo: "text",
    };
  });
  const marks = [...new Set(sizes)].sort((one, two) => one - two);
  const ticks = marks.length <= 8 ? { tickvals: marks, ticktext: marks.map(inThousands) } : { dtick: 1 };
  Plotly.react("curve-plot", traces, layout("train rows", { type: "log", ...ticks }), config());
}

/** Turn both plots to a task, where they have it. */
function showTask(task) {
  for (const [id, draw] of [["plot-task", drawTradeoff], ["curve-task", drawCurves]]) {
    const select = byId(id);
    if (select && [...select.options].some((option) => option.value === task)) {
      select.value = task;
      draw();
    }
  }
}

function drawAll() {
  if (data.rows.length > 0) drawTradeoff();
  if (data.curves.length > 0) drawCurves();
}

setOptions(byId("plot-task"), tasksOf(data.rows).map((task) => [task, task]));
for (const id of ["plot-task", "across", "volume", "machine"]) byId(id).addEventListener("change", drawTradeoff);
if (byId("curve-task")) {
  setOptions(byId("curve-task"), tasksOf(data.curves).map((task) => [task, task]));
  byId("curve-task").addEventListener("change", drawCurves);
}
for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", drawAll);
drawAll();
