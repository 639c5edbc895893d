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
    document.querySelectorAll("#rows .list-row").forEach((row) => {
      const link = row.querySelector(".conv");
      if (row.id === `conversation-${open}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    if (conversation?.dataset.title) document.title = conversation.dataset.title;
  };

  // The side panel: open on a wide screen until it is closed, a drawer on a narrow one.
  const isNarrow = () => matchMedia("(width < 75rem)").matches;
  const showPanel = () => {
    const inbox = document.getElementById("inbox");
    if (!inbox) return;
    if (!isNarrow() && recall("panel") === "off") inbox.dataset.panel = "off";
    document.querySelectorAll("[data-panel-toggle][aria-pressed]").forEach((button) => {
      button.setAttribute("aria-pressed", String(isNarrow() ? inbox.dataset.panel === "on" : inbox.dataset.panel !== "off"));
    });
    document.querySelectorAll("details[data-remember]").forEach((details) => {
      const state = recall(`panel:${details.dataset.remember}`);
      if (state) details.open = state === "open";
    });
  };
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-panel-toggle]")) return;
    const inbox = document.getElementById("inbox");
    const isShown = isNarrow() ? inbox.dataset.panel === "on" : inbox.dataset.panel !== "off";
    inbox.dataset.panel = isShown ? "off" : "on";
    if (!isNarrow()) remember("panel", inbox.dataset.panel);
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
    document.documentElement.dataset.js = "";
    showWhichIsOpen();
    showPanel();
  };
  document.addEventListener("htmx:afterSettle", settle);
  document.addEventListener("htmx:historyRestore", settle);
  document.addEventListener("inbox-updated", settle);
  settle();
})();
