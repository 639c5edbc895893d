// Quick replies: “/” and a few letters find one, Enter takes it; its words go where one is writing.
(() => {
  const field = () => document.querySelector("#composer #text");
  const menu = () => document.querySelector("#composer [data-replies]");
  const items = () => [...(menu()?.querySelectorAll("[data-reply]") ?? [])];
  const loaded = () => menu()?.querySelector("#replies") != null;
  const asked = () => /^\/([a-z0-9_-]*)$/i.exec(field()?.value ?? "")?.[1].toLowerCase();

  const narrow = () => {
    const wanted = asked() ?? "";
    const found = items().filter((item) => {
      const inWords = wanted.length > 2 && item.dataset.text.toLowerCase().includes(wanted);
      const fits = item.dataset.reply.includes(wanted) || inWords;
      item.hidden = !fits;
      delete item.dataset.active;
      return fits;
    });
    const best = found.find((item) => item.dataset.reply.startsWith(wanted)) ?? found[0];
    if (best) best.dataset.active = "";
    return found;
  };

  // One that opens a form, asks for something or shows a product brings the composer for it.
  const bring = async (item) => {
    const typed = asked() === undefined ? field().value.trim() : "";
    await window.htmx.ajax("GET", item.dataset.composerAt, { target: "#composer", swap: "outerHTML" });
    const text = field();
    if (!text) return;
    if (typed) text.value = `${typed}\n${text.value}`;
    text.focus();
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const take = (item) => {
    if (item.dataset.composerAt && window.htmx) return bring(item);
    const text = field();
    const words = item.dataset.text;
    if (asked() !== undefined) text.value = words;
    else text.setRangeText(words, text.selectionStart, text.selectionEnd, "end");
    const options = text.form.elements.options;
    if (options && item.dataset.options) {
      options.value = item.dataset.options;
      options.closest("details").open = true;
      options.dispatchEvent(new Event("input", { bubbles: true }));
    }
    menu().open = false;
    text.focus();
    text.setSelectionRange(text.value.length, text.value.length);
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };

  document.addEventListener("input", (event) => {
    if (event.target !== field()) return;
    const wanted = asked();
    if (wanted === undefined) {
      if (menu()?.dataset.typed !== undefined) menu().open = false;
      return;
    }
    menu().dataset.typed = "";
    menu().open = true;
    narrow();
  });

  document.addEventListener("htmx:load", (event) => {
    if (event.target.closest?.("[data-replies]")) narrow();
  });

  document.addEventListener("toggle", (event) => {
    if (event.target !== menu()) return;
    if (!event.target.open) delete event.target.dataset.typed;
    else if (event.target.dataset.typed === undefined) narrow();
  }, true);

  document.addEventListener("click", (event) => {
    const item = event.target.closest?.("#composer [data-reply]");
    if (!item || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    take(item);
  });

  // Before whoever sends on Enter.
  document.addEventListener("keydown", (event) => {
    if (event.target !== field() || event.isComposing || asked() === undefined || !menu()?.open) return;
    if (event.key === "Enter" && !loaded()) {
      event.preventDefault(); // what is on its way may be what is meant
      return event.stopImmediatePropagation();
    }
    if (!items().some((item) => item.dataset.active !== undefined)) narrow();
    const found = items().filter((item) => !item.hidden);
    const at = found.findIndex((item) => item.dataset.active !== undefined);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      found[at]?.removeAttribute("data-active");
      const next = found[(at + step + found.length) % found.length];
      next.dataset.active = "";
      next.scrollIntoView({ block: "nearest" });
    } else if ((event.key === "Enter" || event.key === "Tab") && found[at]) take(found[at]);
    else if (event.key === "Escape") menu().open = false;
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
})();
