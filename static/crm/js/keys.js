// One key, one thing on the page: the element with that `data-key` is clicked, or focused when it is a field.
(() => {
  let resting;

  const move = (step) => {
    const links = [...document.querySelectorAll("#rows .list-row:not([data-gone]) .conv")];
    const here = document.activeElement.closest?.(".conv") ?? document.querySelector("#rows .conv[aria-current]");
    const next = links[links.indexOf(here) + step] ?? (here ? null : links[0]);
    if (!next) return;
    next.focus();
    next.scrollIntoView({ block: "nearest" });
    // Whoever walks past a conversation does not open it; whoever stays on it does.
    clearTimeout(resting);
    resting = setTimeout(() => document.activeElement === next && next.click(), 350);
  };

  const leave = () => {
    const active = document.activeElement;
    const drawer = document.querySelector('.inbox[data-panel="on"] .panel__close');
    if (active?.matches("#composer textarea")) {
      const unquote = document.querySelector("#composer [data-unquote]");
      if (unquote) unquote.click();
      active.blur();
      document.querySelector("#rows .conv[aria-current]")?.focus({ preventScroll: true });
    } else if (active?.matches("input, select, textarea")) active.blur();
    else if (drawer?.checkVisibility()) drawer.click();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return leave();
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key === "j" || event.key === "ArrowDown" && event.target.closest(".conv")) {
      event.preventDefault();
      return move(1);
    }
    if (event.key === "k" || event.key === "ArrowUp" && event.target.closest(".conv")) {
      event.preventDefault();
      return move(-1);
    }
    const target = [...document.querySelectorAll(`[data-key="${CSS.escape(event.key)}"]`)].find(
      (each) => each.hidden || each.checkVisibility(),
    );
    if (!target) return;
    event.preventDefault();
    if (target.matches("input, textarea")) target.focus();
    else target.click();
  });
})();
