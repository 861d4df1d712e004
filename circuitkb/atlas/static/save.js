// Saves the pictures of a folder of pages, which has no server to ask for them.
const pictures = document.querySelectorAll("figure .picture > svg, td > svg");
const called = decodeURI(location.pathname).split("/").pop().replace(/\.html$/, "");

function asFile(svg) {
  const text = new XMLSerializer().serializeToString(svg);
  // HTML knows no capitals in the names of what a picture says of itself; RDF wants them.
  const named = text
    .replace(/(<\/?)rdf:rdf\b/g, "$1rdf:RDF")
    .replace(/(<\/?)rdf:description\b/g, "$1rdf:Description");
  return new Blob([named], { type: "image/svg+xml" });
}

if (pictures.length) {
  const line = document.createElement("p");
  line.append("Save its pictures as SVG:");
  pictures.forEach((svg, place) => {
    const link = document.createElement("a");
    link.href = "#";
    link.textContent = place + 1;
    link.setAttribute("aria-label", `Save picture ${place + 1} as SVG`);
    link.download = `${called}.${place + 1}.svg`;
    link.addEventListener("click", () => {
      const address = URL.createObjectURL(asFile(svg));
      link.href = address;
      setTimeout(() => {
        URL.revokeObjectURL(address);
        link.href = "#";
      }, 10000);
    });
    line.append(" ", link);
  });
  document.querySelector("footer").append(line);
}
