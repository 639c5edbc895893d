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
    if (event.target.matches("[data-refreshes]")) ask("refresh"); // the variables of a template come from the server
  });

  // The server arranges the steps, as the arrows make it do; nothing is saved by it.
  const ask = (what) => {
    const order = document.createElement("input");
    order.type = "hidden";
    order.name = "do";
    order.value = what;
    form.append(order);
    form.noValidate = true;
    form.submit();
  };

  let dragged = null;
  form.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.("[data-grip]")?.closest("[data-place]") ?? null;
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.place);
    event.dataTransfer.setDragImage(dragged, 16, 16);
    dragged.classList.add("is-dragged");
  });
  const over = (event) => dragged && event.target.closest?.("[data-place]");
  const mark = (step) => {
    form.querySelectorAll("[data-drop]").forEach((each) => each !== step && delete each.dataset.drop);
    if (step && step !== dragged) step.dataset.drop = Number(step.dataset.place) < Number(dragged.dataset.place) ? "before" : "after";
  };
  form.addEventListener("dragover", (event) => {
    const step = over(event);
    if (dragged) mark(step);
    if (step) event.preventDefault();
  });
  form.addEventListener("drop", (event) => {
    const step = over(event);
    if (!step) return;
    event.preventDefault();
    if (step !== dragged) ask(`move:${dragged.dataset.place}:${step.dataset.place}`);
  });
  form.addEventListener("dragend", () => {
    dragged?.classList.remove("is-dragged");
    mark(null);
    dragged = null;
  });
})();
