// The data, and elements made of it. Text becomes a text node, always: nothing here or below makes markup of a string.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
document.documentElement.classList.add("has-script");

/** An element: attributes by name, `on...` as listeners, children as nodes or as text. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Replace a select's options; the one that was chosen stays chosen where it is still there. */
function setOptions(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, words]) => make("option", { value }, words)));
  if (options.some(([value]) => value === before)) select.value = before;
}

const inThousands = (value) => value.toLocaleString("en-US");
const inPercent = (value) => (100 * value).toFixed(1);

/** Seconds as a reader says them. */
function inWords(seconds) {
  if (seconds < 1) return `${(1000 * seconds).toPrecision(2)} ms`;
  if (seconds < 60) return `${seconds.toPrecision(2)} s`;
  if (seconds < 3600) return `${(seconds / 60).toFixed(1)} min`;
  if (seconds < 2 * 86400) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} days`;
}

document.addEventListener("submit", (event) => event.preventDefault()); // no form of this page goes anywhere
