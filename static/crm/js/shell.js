// The shell's own behaviour: the chosen theme is kept, messages show and go, a lost session leads to the login page.
(() => {
  const toasts = document.getElementById("toasts");

  // ventana.js has switched the theme before this listener runs.
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    try {
      localStorage.setItem("theme", document.documentElement.dataset.theme);
    } catch {
      // Storage is blocked: the choice lasts for this page.
    }
  });

  // Toasts: good news leaves by itself, the rest stays until it is closed.
  const leaveLater = (toast) => {
    if (toast.matches(".toast--ok")) setTimeout(() => toast.remove(), 6000);
  };
  toasts?.querySelectorAll(".toast").forEach(leaveLater);
  document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest(".toast").remove());

  const show = (text, kind) => {
    if (!toasts || !text || [...toasts.children].some((toast) => toast.textContent.trim() === text)) return;
    const toast = document.getElementById("toast").content.firstElementChild.cloneNode(true);
    toast.classList.add(`toast--${kind}`);
    toast.querySelector("div").textContent = text;
    toasts.append(toast);
    leaveLater(toast);
  };

  // A view says something with `HX-Trigger: {"toast": {"text": "…", "kind": "ok|warn|fail"}}`.
  document.addEventListener("toast", (event) => show(event.detail.text, event.detail.kind ?? "ok"));
  document.addEventListener("htmx:sendError", () => show(toasts?.dataset.unreachable, "warn"));
  document.addEventListener("htmx:responseError", () => show(toasts?.dataset.failed, "fail"));

  // The session ended: the whole page goes to sign in, not one fragment of it.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const url = event.detail.xhr.responseURL;
    if (url && new URL(url).pathname.startsWith("/accounts/")) {
      event.detail.shouldSwap = false;
      location.reload();
    }
  });

  // A passkey that was cancelled or is not supported.
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    show(document.querySelector("[data-passkey-failed]")?.dataset.passkeyFailed, "warn");
  });

  // Only where the demo is: a click fills in the login.
  document.addEventListener("click", (event) => {
    const login = event.target.closest("[data-login]");
    if (!login) return;
    document.querySelector("[name=login]").value = login.dataset.login;
    document.querySelector("[name=password]").value = login.dataset.password;
    document.querySelector("[name=password]").focus();
  });

  document.querySelectorAll("[data-print]").forEach((button) => button.addEventListener("click", () => print()));
})();
