// The editor works without this: here the preview follows the typing, and what a unit does not need is out of the way.
(() => {
  const form = document.querySelector("[data-editor]");
  if (!form) return;
  const known = { name: "Rosa Quispe", nombre: "Rosa Quispe", first_name: "Rosa" };
  const filled = (text) => text.replace(/\{\s*([^{}]{1,60}?)\s*\}/g, (_all, name) => known[name] ?? "");

  const preview = (text) => {
    const shown = document.querySelector(`[data-of="${text.name}"]`);
    if (shown && text.value) shown.textContent = filled(text.value);
  };
  form.addEventListener("input", (event) => {
    if (event.target.matches("[data-text]")) preview(event.target);
  });
  form.querySelectorAll("[data-text]").forEach(preview); // what was typed before this ran

  const fit = (select) => {
    select.closest(".step__when").querySelectorAll("[data-for-unit]").forEach((part) => {
      part.hidden = !part.dataset.forUnit.split(" ").includes(select.value);
    });
    const count = select.closest(".step__when").querySelector("[type=number]");
    count.hidden = select.value === "weekday";
  };
  form.querySelectorAll("[name$='-unit']").forEach(fit);

  form.addEventListener("change", (event) => {
    if (event.target.matches("[name$='-unit']")) fit(event.target);
    if (event.target.matches("[data-refreshes]")) {
      // The variables of the template come from the server; nothing is saved by it.
      const order = document.createElement("input");
      order.type = "hidden";
      order.name = "do";
      order.value = "refresh";
      form.append(order);
      form.noValidate = true;
      form.submit();
    }
  });
})();
