// The inbox's own behaviour: which row is open, dialogs that close, what is folded and remembered. Every form and link
// works without this file.
(() => {
  const remember = (key, value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Storage is blocked: it holds for this page.
    }
  };
  const recall = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };

  // The row of the open conversation, and the title of the page.
  const showWhichIsOpen = () => {
    const conversation = document.getElementById("conversation");
    const open = conversation?.dataset.open;
    const here = document.querySelector(`#conversation-${open || "none"} > .conv`);
    document.querySelectorAll("#rows .conv[aria-current]").forEach((link) => link !== here && link.removeAttribute("aria-current"));
    if (here && !here.hasAttribute("aria-current")) here.setAttribute("aria-current", "true");
    if (conversation?.dataset.title) document.title = conversation.dataset.title;
  };

  // The side panel: open on a wide screen until it is closed, a drawer on a narrow one.
  const narrow = matchMedia("(width < 75rem)");
  const showPanel = () => {
    const inbox = document.getElementById("inbox");
    if (!inbox) return;
    const isNarrow = narrow.matches;
    if (!isNarrow && recall("panel") === "off") inbox.dataset.panel = "off";
    const isShown = String(isNarrow ? inbox.dataset.panel === "on" : inbox.dataset.panel !== "off");
    document.querySelectorAll(`[data-panel-toggle][aria-pressed]:not([aria-pressed="${isShown}"])`).forEach((button) => {
      button.setAttribute("aria-pressed", isShown);
    });
    document.querySelectorAll("details[data-remember]").forEach((details) => {
      const state = recall(`panel:${details.dataset.remember}`);
      if (state) details.open = state === "open";
    });
  };
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-panel-toggle]")) return;
    const inbox = document.getElementById("inbox");
    const isShown = narrow.matches ? inbox.dataset.panel === "on" : inbox.dataset.panel !== "off";
    inbox.dataset.panel = isShown ? "off" : "on";
    if (!narrow.matches) remember("panel", inbox.dataset.panel);
    showPanel();
  });
  document.addEventListener(
    "toggle",
    (event) => {
      const name = event.target.dataset?.remember;
      if (name) remember(`panel:${name}`, event.target.open ? "open" : "closed");
    },
    true,
  );

  // Dialogs: a button inside closes them, so does the veil, so does a form that was taken.
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]") || event.target.matches("dialog.dialog")) event.target.closest("dialog")?.close();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful && event.target.closest?.("[data-closes]")) event.target.closest("dialog")?.close();
    if (event.detail.successful) event.target.closest?.("details.menu:not([data-replies])")?.removeAttribute("open");
  });

  // A field that narrows a list beside it.
  document.addEventListener("input", (event) => {
    const selector = event.target.dataset.narrows;
    if (!selector) return;
    const words = event.target.value.toLowerCase();
    event.target.closest("fieldset, [role=group]").querySelectorAll(selector).forEach((option) => {
      option.hidden = !option.textContent.toLowerCase().includes(words);
    });
  });

  // A template's variables appear in its preview as they are typed.
  document.addEventListener("input", (event) => {
    const name = event.target.dataset.variable;
    if (!name) return;
    document.querySelectorAll(`mark[data-shows="${CSS.escape(name)}"]`).forEach((mark) => {
      mark.textContent = event.target.value || mark.dataset.empty;
    });
  });

  // Filters apply as they are chosen; the button is for those without JavaScript.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-filters] select")) event.target.form.requestSubmit();
  });

  const settle = () => {
    showWhichIsOpen();
    showPanel();
  };
  document.documentElement.dataset.js = "";
  document.addEventListener("htmx:afterSettle", settle);
  document.addEventListener("htmx:historyRestore", settle);
  document.addEventListener("inbox-updated", settle);
  settle();
})();
