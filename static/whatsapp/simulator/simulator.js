// Keeps the page live: forms without reload, the parts that changed fetched again, sound for voice notes.
(() => {
  const body = document.body;
  const root = document.documentElement;
  const parts = ["clock", "phone", "people", "faults", "templates", "window", "log"];

  const saved = localStorage.getItem("theme");
  if (saved) root.dataset.theme = saved;

  const here = () =>
    new URLSearchParams({ number: body.dataset.number, customer: body.dataset.customer }).toString();

  const toBottom = () => {
    const chat = document.getElementById("chat");
    if (chat) chat.scrollTop = chat.scrollHeight;
  };

  // Who reads the end of the chat goes on doing so, also when a picture arrives and needs its room.
  let following = true;
  const follow = ({ target }) => {
    if (target.id === "chat") following = target.scrollHeight - target.scrollTop - target.clientHeight < 80;
  };
  document.addEventListener("scroll", follow, true);
  document.addEventListener("load", ({ target }) => following && target.closest?.("#chat") && toBottom(), true);

  // A part is left alone while someone types or chooses in it; elsewhere the focus stays on the same control.
  const controls = (part) => [...part.querySelectorAll("a, button, input, select, summary")];
  const swap = (fresh) => {
    for (const id of parts) {
      const old = document.getElementById(id);
      const next = fresh.getElementById(id);
      if (!old || !next || old.dataset.seen === next.outerHTML) continue;
      const seen = next.outerHTML;
      if (id === "phone") {
        swapPhone(old, next);
        old.dataset.seen = seen;
        continue;
      }
      const active = document.activeElement;
      const inside = old.contains(active);
      if (inside && active.matches("select, textarea, input:not([type=checkbox])")) continue;
      const at = inside ? controls(old).indexOf(active) : -1;
      const open = [...old.querySelectorAll("details[open]")].map((part) => part.id);
      for (const part of next.querySelectorAll("details")) part.open = open.includes(part.id);
      const lists = (part) => [...part.querySelectorAll(".sim-templates")];
      const scrolled = lists(old).map((list) => list.scrollTop);
      old.replaceWith(next);
      lists(next).forEach((list, at) => (list.scrollTop = scrolled[at] ?? 0));
      next.dataset.seen = seen;
      if (at >= 0) controls(next)[at]?.focus();
    }
  };

  // The input stays where it is; everything above it is replaced.
  const swapPhone = (old, next) => {
    for (const name of [".phone__status", ".phone__bar"])
      old.querySelector(name).replaceWith(next.querySelector(name));
    const chat = old.querySelector("#chat");
    const fresh = next.querySelector("#chat");
    if (chat.innerHTML === fresh.innerHTML) return;
    const at = chat.scrollTop;
    chat.replaceChildren(...fresh.childNodes);
    if (following) toBottom();
    else chat.scrollTop = at;
  };

  let asked = false;
  let busy = false;
  const refresh = async () => {
    asked = true;
    if (busy) return;
    busy = true;
    while (asked) {
      asked = false;
      try {
        const answer = await fetch(`/phone/live?${here()}`);
        if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch {
        // The simulator is stopped; the stream says when it is back.
      }
      await new Promise((done) => setTimeout(done, 150));
    }
    busy = false;
  };

  const quote = (id, text) => {
    document.querySelectorAll("[data-reply-to]").forEach((field) => (field.value = id));
    const strip = document.getElementById("quoting");
    strip.hidden = !id;
    strip.querySelector("span").textContent = text;
  };

  const submit = async (form, submitter) => {
    const data = new URLSearchParams(new FormData(form, submitter));
    form.querySelectorAll("input[type=text], textarea").forEach((field) => (field.value = ""));
    const answer = await fetch(form.action, { method: "POST", body: data, headers: { "X-Live": "1" } });
    const page = new URL(answer.headers.get("X-Page") || "/", location);
    if (data.has("reply_to")) quote("", "");
    if (page.searchParams.get("customer") !== body.dataset.customer) location.assign(page);
    else refresh();
  };

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-live]")) return;
    event.preventDefault();
    submit(event.target, event.submitter);
  });

  document.addEventListener("change", (event) => {
    const auto = event.target.closest("form[data-auto]");
    if (auto && (event.target.type === "checkbox" || auto.querySelector("[type=checkbox]")?.checked)) submit(auto);
    event.target.closest("form[data-go]")?.submit();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && event.target.matches("textarea")) {
      event.preventDefault();
      event.target.form.requestSubmit(event.target.form.querySelector("[value=text]"));
    }
  });

  let sound = null;
  document.addEventListener("click", (event) => {
    const play = event.target.closest("[data-play]");
    if (play) {
      sound?.pause();
      sound = new Audio(play.dataset.play);
      sound.play();
    }
    const quoted = event.target.closest("[data-quote]");
    if (quoted) {
      quote(quoted.dataset.quote, quoted.dataset.text);
      document.querySelector(".phone__input .input").focus();
    }
    if (event.target.closest("[data-unquote]")) quote("", "");
    if (event.target.closest("[data-theme-toggle]")) {
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      localStorage.setItem("theme", root.dataset.theme);
    }
  });

  toBottom();
  new EventSource("/phone/stream").addEventListener("message", refresh);
  setInterval(refresh, 20000); // the clock and the window move by themselves
})();
