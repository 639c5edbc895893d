// The page of contacts: how many are chosen, all at once, and the export keeps the filters. The rest works without.
(() => {
  const boxes = () => [...document.querySelectorAll("#people input[name=contact]")];

  const count = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    document.querySelectorAll("[data-chosen] [data-count]").forEach((place) => (place.textContent = chosen));
    const all = document.querySelector("[data-chooses=contact]");
    if (!all) return;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-chooses=contact]")) boxes().forEach((box) => (box.checked = event.target.checked));
    count();
  });
  // A form's own reset comes after its event.
  document.addEventListener("reset", () => setTimeout(count));
  document.addEventListener("htmx:afterSettle", () => {
    count();
    const query = document.getElementById("people")?.dataset.query;
    document.querySelectorAll("a[data-keeps-query]").forEach((link) => (link.search = query ?? ""));
    document.querySelectorAll("[data-chosen] [name=next]").forEach((back) => (back.value = location.pathname + location.search));
  });
  count();
})();
