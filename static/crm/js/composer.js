// Sending without waiting, and without lying: the bubble shows a clock until the server's own bubble takes its place.
// Both carry the id of the form's `client_id`, which also makes a second try the same message.
(() => {
  const newId = () => {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  };
  const parsed = (html) => new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
  const composer = () => document.getElementById("composer");
  const isOpen = (id) => composer()?.dataset.conversation === id;

  const put = (old, fresh) => {
    old.replaceWith(fresh);
    window.htmx?.process(fresh);
    return fresh;
  };
  const tell = (response) => {
    for (const [name, detail] of Object.entries(JSON.parse(response.headers.get("HX-Trigger") ?? "{}"))) {
      document.body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
    }
  };

  const showPending = (form, data) => {
    const log = document.getElementById("log");
    const bubble = form.querySelector("[data-pending]").content.firstElementChild.cloneNode(true);
    bubble.id = `message-${data.get("client_id")}`;
    bubble.querySelector(".msg__text").textContent = data.get("text").trim();
    bubble.querySelector("time").textContent = new Date().toTimeString().slice(0, 5);
    log.append(bubble);
    log.parentElement.scrollTop = log.parentElement.scrollHeight;
    return bubble;
  };

  const empty = (form) => {
    const text = form.elements.text;
    text.value = "";
    form.elements.client_id.value = newId();
    form.elements.quoted.value = "";
    form.querySelectorAll("#choices-preview, .composer__preview").forEach((preview) => preview.replaceChildren());
    for (const extra of form.querySelectorAll(".composer__options")) {
      for (const field of extra.querySelectorAll("textarea, input, select")) field.value = "";
      extra.open = false;
    }
    form
      .querySelectorAll(".composer__quote, .composer__asks + .composer__preview, .composer__error")
      .forEach((part) => part.remove());
    text.removeAttribute("aria-invalid");
    text.dispatchEvent(new Event("composer-emptied", { bubbles: true }));
    count(text);
  };

  const refused = (html, conversation, bubble) => {
    bubble?.remove();
    if (!isOpen(conversation)) return;
    const typed = composer().elements.text?.value ?? "";
    const fresh = put(composer(), parsed(html));
    const text = fresh.elements.text;
    if (text && typed) text.value = `${text.value}\n${typed}`;
    text?.focus();
  };

  const unsent = (form, data, bubble, templates) => {
    const fault = templates.unsent.content.firstElementChild.cloneNode(true);
    bubble.querySelector(".msg__bubble").append(fault);
    fault.querySelector("[data-resend]").addEventListener("click", () => {
      fault.remove();
      line = line.then(() => post(form, data, bubble, templates));
    });
  };

  const post = async (form, data, bubble, templates) => {
    const conversation = form.dataset.conversation;
    let response;
    try {
      response = await fetch(form.action, { method: "POST", body: data, headers: { "HX-Request": "true" } });
    } catch {
      return unsent(form, data, bubble, templates);
    }
    if (response.headers.has("HX-Redirect")) return location.assign(response.headers.get("HX-Redirect"));
    const html = await response.text();
    if (response.status === 422) return refused(html, conversation, bubble);
    if (!response.ok) return unsent(form, data, bubble, templates);
    // The live refresh may have been first: then its bubble has this id already.
    const shown = document.getElementById(`message-${data.get("client_id")}`);
    if (shown) put(shown, parsed(html));
    document.dispatchEvent(new CustomEvent("message-sent", { detail: { conversation } }));
    tell(response);
  };

  let line = Promise.resolve(); // one at a time, in the order they were written

  const sendText = (form) => {
    const data = new FormData(form);
    const templates = { unsent: form.querySelector("[data-unsent]") };
    const hasWords = data.get("text").trim() !== "";
    const bubble = hasWords ? showPending(form, data) : null;
    if (hasWords) empty(form);
    line = line.then(() => post(form, data, bubble, templates));
  };

  const sendTemplate = async (form) => {
    const button = form.querySelector("[type=submit]");
    if (button.disabled) return;
    const data = new FormData(form);
    button.disabled = true;
    try {
      const response = await fetch(form.action, { method: "POST", body: data, headers: { "HX-Request": "true" } });
      if (response.headers.has("HX-Redirect")) return location.assign(response.headers.get("HX-Redirect"));
      const html = await response.text();
      if (response.status === 422) return put(form, parsed(html));
      if (!response.ok) throw new Error(response.status);
      if (!document.getElementById(`message-${data.get("client_id")}`)) {
        const bubble = parsed(html);
        document.getElementById("log").append(bubble);
        window.htmx?.process(bubble);
      }
      tell(response);
      window.htmx?.ajax("GET", form.dataset.fresh, { target: "#composer", swap: "outerHTML" });
    } catch {
      document.dispatchEvent(new CustomEvent("htmx:sendError"));
    } finally {
      button.disabled = false;
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-composer]");
    if (!form) return;
    event.preventDefault();
    if (form.elements.text) sendText(form);
    else sendTemplate(form);
  });

  document.addEventListener("files-sent", (event) => empty(event.detail.form));

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (!event.target.matches("form[data-composer] textarea[data-limit]")) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });

  // How many characters are left, once it matters.
  const count = (text) => {
    const shown = text.form.querySelector("[data-count]");
    const left = Number(text.dataset.limit) - text.value.length;
    shown.hidden = left > 300;
    shown.textContent = String(left);
    shown.classList.toggle("is-fail", left < 0);
  };
  document.addEventListener("input", (event) => {
    if (event.target.matches("form[data-composer] textarea")) count(event.target);
  });

  // Choosing what to quote puts the cursor where the answer is written.
  document.addEventListener("htmx:load", (event) => {
    if (event.target.id === "composer" && event.target.querySelector(".composer__quote")) event.target.elements.text?.focus();
  });
})();
