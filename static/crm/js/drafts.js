// What was typed and not sent stays with its conversation, in this browser, until it is sent or deleted.
(() => {
  const me = document.getElementById("inbox")?.dataset.me;
  const key = (conversation) => `draft:${me}:${conversation}`;
  const read = (conversation) => {
    try {
      return localStorage.getItem(key(conversation)) ?? "";
    } catch {
      return "";
    }
  };
  const write = (conversation, text) => {
    try {
      if (text.trim()) localStorage.setItem(key(conversation), text);
      else localStorage.removeItem(key(conversation));
    } catch {
      // Storage is blocked or full: the text stays in the field.
    }
  };
  const field = () => document.querySelector("#composer textarea[name=text]");

  const restore = () => {
    const text = field();
    if (!text || text.value || text.dataset.emptied !== undefined) return;
    text.value = read(text.form.dataset.conversation);
  };

  const showInRows = () => {
    const rows = document.getElementById("rows");
    if (!rows) return;
    rows.querySelectorAll(".conv__preview--draft").forEach((line) => line.remove());
    rows.querySelectorAll(".list-row").forEach((row) => {
      const link = row.querySelector(".conv");
      const text = link.hasAttribute("aria-current") ? "" : read(row.id.replace("conversation-", ""));
      if (!text) return;
      const line = document.createElement("span");
      line.className = "conv__preview conv__preview--draft";
      const label = document.createElement("b");
      label.textContent = rows.dataset.draft;
      const words = document.createElement("span");
      words.textContent = text;
      line.append(label, words);
      row.querySelector(".conv__preview").before(line);
    });
  };

  document.addEventListener("input", (event) => {
    const text = field();
    if (event.target !== text) return;
    delete text.dataset.emptied;
    write(text.form.dataset.conversation, text.value);
  });
  // On its way: the stored text goes only when the server has it, so a lost connection loses nothing.
  document.addEventListener("composer-emptied", (event) => {
    event.target.dataset.emptied = "";
  });
  document.addEventListener("message-sent", (event) => {
    const conversation = event.detail.conversation;
    const text = field();
    const typed = text?.form.dataset.conversation === conversation ? text.value : "";
    write(conversation, typed);
  });

  const settle = () => {
    restore();
    showInRows();
  };
  document.addEventListener("htmx:afterSettle", settle);
  document.addEventListener("htmx:historyRestore", settle);
  document.addEventListener("inbox-updated", settle);
  settle();
})();
