// Two runs side by side: which rows they differ on, and what each read and wrote.

const BLANKS = /^[ \t\r\n]+|[ \t\r\n]+$/g; // what Python's patterns trim
const [LABEL, SURE, REPLY, PATTERN] = [0, 1, 2, 3]; // what stands where in an answer

// How many rows there are of each view comes from the pair's counts, which are those of all rows.
const VIEWS = [
  { name: "one is right", fits: (a, b) => a !== b, count: (pair) => pair.onlyFirst + pair.onlySecond },
  { name: "A right, B wrong", fits: (a, b) => a && !b, count: (pair) => pair.onlyFirst },
  { name: "A wrong, B right", fits: (a, b) => !a && b, count: (pair) => pair.onlySecond },
  { name: "both wrong", fits: (a, b) => !a && !b, count: (pair) => pair.bothWrong },
  { name: "answers differ", fits: (a, b, same) => !same, count: (pair) => pair.differ },
];
const ALONE = [{ name: "A is wrong", fits: (a) => !a, count: (pair, sheet, first) => sheet.rows - sheet.runs[first].right }];

const state = { sheet: null, first: 0, second: 0, view: 0, rows: [], at: 0 };

const isAlone = () => state.first === state.second;
const isRight = (question, run) => question.answers[run][LABEL] === question.gold;
const labelOf = (index) => (index < 0 ? null : state.sheet.labels[index]);

function pairOf(first, second) {
  for (const [one, two, onlyOne, onlyTwo, bothWrong, differ] of state.sheet.pairs) {
    if (one === first && two === second) return { onlyFirst: onlyOne, onlySecond: onlyTwo, bothWrong, differ };
    if (one === second && two === first) return { onlyFirst: onlyTwo, onlySecond: onlyOne, bothWrong, differ };
  }
  return null;
}

/** A prompt, from its pattern and the question's texts. */
function promptOf(question, pattern) {
  return state.sheet.patterns[pattern]
    .map((piece) => (piece < 0 ? question.texts[-1 - piece].replace(BLANKS, "") : state.sheet.pieces[piece]))
    .join("");
}

function chooseSheet() {
  state.sheet = data.sheets[Number(byId("sheet").value)];
  const runs = state.sheet.runs.map((run, at) => [
    String(at),
    `${run.name} · ${inPercent(run.right / state.sheet.rows)} % right`,
  ]);
  byId("first").replaceChildren();
  byId("second").replaceChildren();
  setOptions(byId("first"), runs);
  setOptions(byId("second"), runs.length > 1 ? runs : [["0", "no other run answered these rows"]]);
  [byId("first").value, byId("second").value] = firstPair();
  chooseRuns();
}

/** Runs of both sides, where there are any. */
function sidesOf(sheet) {
  const best = (...kinds) => sheet.runs.findIndex((run) => kinds.includes(run.kind));
  return [best("encoder"), best("prompted", "adapted")];
}

/** The best of an encoder and of an LLM where there are both, since that is the question; else the first two. */
function firstPair() {
  const sides = sidesOf(state.sheet);
  return (sides.includes(-1) ? [0, Math.min(1, state.sheet.runs.length - 1)] : sides).map(String);
}

function chooseRuns() {
  [state.first, state.second] = [Number(byId("first").value), Number(byId("second").value)];
  state.view = 0;
  drawViews();
  listRows();
}

function drawViews() {
  const pair = pairOf(state.first, state.second);
  const views = isAlone() ? ALONE : VIEWS;
  byId("views").replaceChildren(
    ...views.map((view, at) =>
      make(
        "button",
        {
          type: "button",
          "aria-pressed": String(at === state.view),
          onclick: () => {
            state.view = at;
            drawViews();
            listRows();
          },
        },
        view.name,
        make("b", {}, inThousands(view.count(pair, state.sheet, state.first))),
      ),
    ),
  );
}

function listRows() {
  const view = (isAlone() ? ALONE : VIEWS)[state.view];
  const words = byId("find-text").value.toLowerCase();
  const fits = (question) => {
    const [a, b] = [question.answers[state.first], question.answers[state.second]];
    if (!view.fits(isRight(question, state.first), isRight(question, state.second), a[LABEL] === b[LABEL])) return false;
    const read = [question.id, ...question.texts, a[REPLY] ?? "", b[REPLY] ?? ""];
    return words === "" || read.some((text) => text.toLowerCase().includes(words));
  };
  state.rows = state.sheet.questions.filter(fits);
  state.at = 0;
  const all = view.count(pairOf(state.first, state.second), state.sheet, state.first);
  const carried = words === "" && state.rows.length < all ? ` of ${inThousands(all)}; the others do not fit into this page` : "";
  byId("found").textContent = `${inThousands(state.rows.length)} ${state.rows.length === 1 ? "row" : "rows"}${carried}`;
  byId("list").replaceChildren(
    ...(state.rows.length > 0 ? state.rows.map(listItem) : [make("li", { class: "none" }, "No such row.")]),
  );
  byId("list").scrollTop = 0;
  drawDetail();
}

function listItem(question, at) {
  const text = question.texts.find((one) => one.trim() !== "") ?? `row ${question.id}`;
  const sign = (run, name) => {
    const right = isRight(question, run);
    return make("span", { class: right ? "right" : "wrong" }, `${name} ${right ? "✓" : "✗"} `);
  };
  const signs = isAlone() ? [sign(state.first, "A")] : [sign(state.first, "A"), sign(state.second, "B")];
  return make(
    "li",
    {},
    make(
      "button",
      { type: "button", "aria-current": String(at === state.at), onclick: () => step(at, { focus: false }) },
      make("span", { class: "snippet", dir: "auto" }, text.slice(0, 160)),
      make("span", { class: "signs" }, ...signs),
    ),
  );
}

/** Show another row of the list. */
function step(to, { focus = true } = {}) {
  if (to < 0 || to >= state.rows.length) return;
  const items = byId("list").children;
  items[state.at].firstElementChild.setAttribute("aria-current", "false");
  state.at = to;
  const button = items[to].firstElementChild;
  button.setAttribute("aria-current", "true");
  if (focus && byId("list").contains(document.activeElement)) button.focus();
  button.scrollIntoView({ block: "nearest" });
  drawDetail();
}

function drawDetail() {
  const detail = byId("detail");
  const question = state.rows[state.at];
  if (question === undefined) {
    detail.replaceChildren();
    return;
  }
  const runs = isAlone() ? [["A", state.first]] : [["A", state.first], ["B", state.second]];
  detail.replaceChildren(
    steps(question),
    ...texts(question),
    make("p", { class: "gold-label" }, "right answer: ", make("b", { dir: "auto" }, answerWords(question, question.gold))),
    make("div", { class: "answers" }, ...runs.map(([name, run]) => answer(question, name, run))),
  );
  detail.scrollTop = 0;
}

function steps(question) {
  const button = (words, to) =>
    make("button", { type: "button", disabled: to < 0 || to >= state.rows.length, onclick: () => step(to) }, words);
  return make(
    "div",
    { class: "steps" },
    make("span", { class: "where" }, `row ${question.id} · ${state.at + 1} of ${state.rows.length}`),
    button("‹ previous", state.at - 1),
    button("next ›", state.at + 1),
  );
}

function texts(question) {
  const fields = question.fields.map((name, at) =>
    make("div", { class: "field" }, make("h3", {}, name), make("p", { class: "text", dir: "auto" }, question.texts[at])),
  );
  const choices = question.texts.slice(question.fields.length);
  if (choices.length > 0) {
    const gold = Number(labelOf(question.gold));
    const items = choices.map((text, at) => make("li", { class: at === gold ? "text gold" : "text", dir: "auto" }, text));
    fields.push(make("div", { class: "field" }, make("h3", {}, "choices"), make("ol", { class: "choices", start: 0 }, ...items)));
  }
  return question.texts.length > 0 ? fields : [make("p", { class: "empty" }, "These runs did not keep their questions.")];
}

/** A label as it is; of a choice, its number and its beginning. */
function answerWords(question, index) {
  const label = labelOf(index);
  if (label === null) return "no label";
  const choice = question.texts[question.fields.length + Number(label)];
  return question.texts.length > question.fields.length && choice !== undefined ? `${label}) ${choice.slice(0, 80)}` : label;
}

function answer(question, name, run) {
  const [label, sure, reply, pattern] = question.answers[run];
  const right = label === question.gold;
  return make(
    "div",
    { class: right ? "answer" : "answer is-wrong" },
    make("h3", { dir: "auto" }, make("span", { class: "run-mark" }, name), ` ${state.sheet.runs[run].name}`),
    make("span", { class: "said", dir: "auto" }, `${right ? "✓" : "✗"} ${answerWords(question, label)}`),
    sure === null ? null : probabilities(sure),
    reply === null ? null : make("div", {}, make("h3", {}, "reply"), make("pre", { dir: "auto" }, reply)),
    pattern < 0 ? null : make("details", {}, make("summary", {}, "prompt"), make("pre", { dir: "auto" }, promptOf(question, pattern))),
  );
}

function probabilities(sure) {
  const cells = sure.flatMap((value, at) => {
    if (value === null) return [];
    const bar = make("i");
    bar.style.width = `${100 * value}%`;
    return [
      make("span", { class: "label", dir: "auto" }, labelOf(at)),
      make("span", { class: "bar" }, bar),
      make("span", { class: "number" }, `${inPercent(value)} %`),
    ];
  });
  return make("div", { class: "sure" }, ...cells);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const inList = byId("list").contains(event.target);
  const move = { j: 1, k: -1, ...(inList ? { ArrowDown: 1, ArrowUp: -1 } : {}) }[event.key];
  if (move === undefined) return;
  event.preventDefault();
  step(state.at + move);
}

if (data.sheets.length === 0) {
  byId("browser").hidden = true;
  byId("no-sheets").hidden = false;
} else {
  setOptions(byId("sheet"), data.sheets.map((sheet, at) => [String(at), `${sheet.name}, ${inThousands(sheet.rows)} rows`]));
  byId("sheet").value = String(Math.max(0, data.sheets.findIndex((sheet) => !sidesOf(sheet).includes(-1))));
  byId("sheet").addEventListener("change", chooseSheet);
  for (const id of ["first", "second"]) byId(id).addEventListener("change", chooseRuns);
  byId("find-text").addEventListener("input", listRows);
  byId("errors").addEventListener("keydown", onKey);
  chooseSheet();
}
