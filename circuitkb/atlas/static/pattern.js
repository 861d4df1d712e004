// Draws a pattern, and writes its text: features in rows, weights by their sign.
const SPACE = "http://www.w3.org/2000/svg";
const KINDS = {
  "+>": ["excites", "#b2182b"],
  "-|": ["inhibits", "#2166ac"],
  "->": ["goes to", "#57606a"],
  "~": ["is a mirror or turned image of", "#8250df"],
  "~=": ["is analogous to", "#116329"],
};
const NAMES = "abcdefghijklmnopqrstuvwxyz";

const place = document.getElementById("drawing");
const text = document.querySelector('textarea[name="text"]');
const pattern = JSON.parse(place.dataset.given);
let chosen = null;

function made(name, values = {}, ...children) {
  const element = document.createElement(name);
  Object.assign(element, values);
  element.append(...children);
  return element;
}

function shape(name, values, label) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
  if (label !== undefined) element.textContent = label;
  return element;
}

function written() {
  return pattern.arrows
    .map(([source, arrow, target, absent, rank]) =>
      `${absent ? "not " : ""}${source} ${arrow} ${target}${rank ? ` [rank <= ${rank}]` : ""}`)
    .join("; ");
}

function told([source, arrow, target, absent, rank]) {
  const among = rank ? `, among its ${rank} strongest inputs` : "";
  return `${absent ? "not: " : ""}${source} ${KINDS[arrow][0]} ${target}${among}`;
}

// Sources below what they feed; a ring ends when every feature has been raised once.
function rows() {
  const depth = Object.fromEntries(pattern.features.map((name) => [name, 0]));
  for (const _ of pattern.features)
    for (const [source, arrow, target, absent] of pattern.arrows)
      if (!arrow.startsWith("~") && !absent)
        depth[target] = Math.max(depth[target], Math.min(depth[source] + 1, pattern.features.length));
  const levels = [...new Set(Object.values(depth))].sort((one, other) => one - other);
  return levels.map((level) => pattern.features.filter((name) => depth[name] === level));
}

function picture() {
  const levels = rows();
  const width = Math.max(280, 110 * Math.max(...levels.map((row) => row.length)));
  const height = 100 * levels.length + 20;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group" });
  svg.setAttribute("aria-label", `Pattern: ${written() || "no weights yet"}`);
  const at = {};
  levels.forEach((row, level) =>
    row.forEach((name, column) => {
      at[name] = [((column + 1) * width) / (row.length + 1), height - 60 - 100 * level];
    }),
  );
  pattern.arrows.forEach((one, number) => {
    const [source, arrow, target, absent, rank] = one;
    const [[x1, y1], [x2, y2]] = [at[source], at[target]];
    const length = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [across, along] = [(x2 - x1) / length, (y2 - y1) / length];
    const before = pattern.arrows.slice(0, number).filter(
      (other) => [other[0], other[2]].sort().join() === [source, target].sort().join(),
    ).length;
    const aside = 9 * before;
    const start = [x1 + 24 * across - aside * along, y1 + 24 * along + aside * across];
    const end = [x2 - 28 * across - aside * along, y2 - 28 * along + aside * across];
    const colour = KINDS[arrow][1];
    const dash = absent ? "3 5" : arrow.startsWith("~") ? "9 5" : "none";
    const line =
      source === target
        ? shape("circle", { cx: x1 + 30, cy: y1 - 18, r: 16, fill: "none" })
        : shape("line", { x1: start[0], y1: start[1], x2: end[0], y2: end[1] });
    for (const [key, value] of Object.entries({ stroke: colour, "stroke-width": 3, "stroke-dasharray": dash }))
      line.setAttribute(key, value);
    line.append(shape("title", {}, told(one)));
    svg.append(line);
    if (rank)
      svg.append(shape("text", { x: (start[0] + end[0]) / 2 + 6, y: (start[1] + end[1]) / 2, fill: colour, "font-size": 12 }, `≤ ${rank}`));
    if (source !== target && !arrow.startsWith("~")) {
      const head =
        arrow === "-|"
          ? `M ${end[0] - 8 * along} ${end[1] + 8 * across} L ${end[0] + 8 * along} ${end[1] - 8 * across}`
          : `M ${end[0] - 9 * across - 6 * along} ${end[1] - 9 * along + 6 * across} L ${end[0]} ${end[1]} ` +
            `L ${end[0] - 9 * across + 6 * along} ${end[1] - 9 * along - 6 * across}`;
      svg.append(shape("path", { d: head, stroke: colour, "stroke-width": 3, fill: "none" }));
    }
  });
  for (const [name, [x, y]] of Object.entries(at)) {
    const node = shape("g", { class: "node", tabindex: 0, role: "button", transform: `translate(${x} ${y})` });
    node.setAttribute("aria-label", chosen === name ? `${name}, chosen as source` : `feature ${name}`);
    node.setAttribute("aria-pressed", String(chosen === name));
    node.append(
      shape("circle", { r: 22, fill: "#f7f7f7", stroke: chosen === name ? "#0550ae" : "#636363", "stroke-width": chosen === name ? 3 : 1 }),
      shape("text", { "text-anchor": "middle", dy: 5, fill: "#1b1f24" }, name),
    );
    node.addEventListener("click", () => point(name));
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        point(name);
      }
    });
    svg.append(node);
  }
  return svg;
}

// The first feature that is pointed at is the source, the second the target.
function point(name) {
  if (chosen === null) chosen = name;
  else {
    join(chosen, name);
    chosen = null;
  }
  show();
  [...place.querySelectorAll(".node")].find((node) => node.textContent === name)?.focus();
}

function join(source, target) {
  const [arrow, absent] = [kind.value, negated.checked];
  const same = (one) => one[0] === source && one[1] === arrow && one[2] === target;
  const most = arrow.startsWith("~") || !(among.valueAsNumber >= 1) ? null : Math.floor(among.valueAsNumber);
  pattern.arrows = [...pattern.arrows.filter((one) => !same(one)), [source, arrow, target, absent, most]];
  text.value = written();
}

const kind = made("select", { id: "kind" }, ...Object.entries(KINDS).map(([value, [said]]) => made("option", { value }, said)));
const negated = made("input", { type: "checkbox", id: "negated" });
const among = made("input", { type: "number", id: "among", min: 1, step: 1 });
const more = made("button", { type: "button" }, "Another feature");
more.addEventListener("click", () => {
  const name = [...NAMES].find((letter) => !pattern.features.includes(letter));
  if (name) pattern.features.push(name);
  show();
});

function show() {
  place.replaceChildren();
  if (!pattern.whole)
    return place.append(picture(), made("p", { className: "note" }, "This pattern says more than is drawn here: change its text."));
  const list = made("ul", { className: "ways" }, ...pattern.arrows.map((one, number) => {
    const said = told(one);
    const away = made("button", { type: "button", ariaLabel: `Remove: ${said}` }, "Remove");
    away.addEventListener("click", () => {
      pattern.arrows.splice(number, 1);
      text.value = written();
      show();
    });
    return made("li", {}, `${said} `, away);
  }));
  place.append(
    made("p", { className: "note" }, "Choose what a weight does, then its source and its target in the drawing."),
    made("div", { className: "asking" },
      made("p", {}, made("label", { htmlFor: "kind" }, "the source"), kind),
      made("p", {}, made("label", { htmlFor: "negated" }, "there is no such weight"), negated),
      made("p", {}, made("label", { htmlFor: "among" }, "among so many strongest inputs"), among),
      made("p", {}, more)),
    picture(),
    list,
  );
}

// What is typed is drawn when it is shown: reading patterns is for the server.
text.addEventListener("input", () => place.classList.add("stale"));
show();
