// Makes a chart of the page one that can be moved, asked and followed; its picture stays without.
const place = document.getElementById("drawing");
const spec = JSON.parse(place.dataset.given);
const chart = document.createElement("div");
place.append(chart);

// Expressions are interpreted: a page here may make no code from text.
const { view } = await window.vegaEmbed(
  chart,
  {
    ...spec,
    params: [{ name: "moved", select: "interval", bind: "scales" }],
  },
  { ast: true, actions: false, defaultStyle: false, tooltip: false, renderer: "canvas" },
);
document.querySelector(".figures figure .picture")?.setAttribute("hidden", "");

const said = document.createElement("p");
said.className = "note";
said.setAttribute("aria-live", "polite");
said.textContent = "Point at a feature to read it, choose it to open its page, drag and scroll to move.";
place.append(said);
const datum = (item) => item?.datum?.page && item.datum;
view.addEventListener("mouseover", (_, item) => {
  const found = datum(item);
  if (found) said.textContent = [found.feature, found.labels, found.colour].filter((part) => part || part === 0).join(" · ");
});
view.addEventListener("click", (_, item) => {
  const found = datum(item);
  if (found) location.assign(place.dataset.root + found.page);
});
