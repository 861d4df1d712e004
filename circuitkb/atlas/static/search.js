// Looks in ids and labels of a folder of pages; with a server the form asks that instead.
const box = document.getElementById("everywhere");
const found = document.getElementById("found");
const root = document.currentScript.dataset.root;
const most = 50;

function show() {
  const words = box.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ([id, labels]) => {
    const text = `${id} ${labels}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const rows = words.length ? window.pages.filter(fits) : [];
  found.replaceChildren(
    ...rows.slice(0, most).map(([id, labels, address]) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = root + address;
      link.textContent = id;
      item.append(link, labels ? ` ${labels}` : "");
      return item;
    }),
  );
  if (words.length) {
    const count = document.createElement("li");
    count.textContent = rows.length > most ? `${most} of ${rows.length} shown` : `${rows.length} found`;
    found.append(count);
  }
}

box.addEventListener("input", show);
box.form.addEventListener("submit", (event) => {
  event.preventDefault();
  show();
  const first = found.querySelector("a");
  if (first) first.focus();
});
