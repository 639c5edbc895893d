// Files for the composer: chosen, dropped or pasted, shown before they go, and sent with their progress.
// The input itself holds them, so that what is shown is what is sent; nothing is emptied before the server has it all.
(() => {
  const MOST = 10;
  const input = () => document.querySelector("#composer [data-files]");
  const parsed = (html) => [...new DOMParser().parseFromString(html, "text/html").body.children];
  const size = (bytes) => (bytes < 1048576 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1048576).toFixed(1)} MB`);

  // What the number's provider takes, told before anything leaves the page. A larger video may be made smaller.
  const SHRINKABLE = 104857600;
  const limitOf = (field, file) => {
    const limits = JSON.parse(field.dataset.limits);
    return limits[file.type.split("/")[0]] ?? limits.document ?? 0;
  };
  const isVideo = (file) => file.type.startsWith("video/");
  const isTooLarge = (field, file) => {
    const shrinks = isVideo(file) && field.form.querySelector("[name=shrink]").checked;
    return file.size > (shrinks ? SHRINKABLE : limitOf(field, file));
  };
  const whyNot = (field, file) => {
    const words = isVideo(file) && file.size <= SHRINKABLE ? field.dataset.tooLargeVideo : field.dataset.tooLarge;
    const values = { "{name}": file.name, "{size}": size(file.size), "{limit}": size(limitOf(field, file)) };
    return words.replace(/\{(name|size|limit)\}/g, (blank) => values[blank]);
  };
  const refusals = (field) => [...field.files].filter((file) => isTooLarge(field, file)).map((file) => whyNot(field, file));

  const put = (field, files) => {
    const held = new DataTransfer();
    files.slice(0, MOST).forEach((file) => held.items.add(file));
    field.files = held.files;
    show(field);
  };

  const show = (field) => {
    const tray = field.form.querySelector("[data-tray]");
    const list = tray.querySelector("ul");
    list.querySelectorAll("img").forEach((picture) => URL.revokeObjectURL(picture.src));
    list.replaceChildren(...[...field.files].map((file, place) => shown(field, file, place, tray)));
    const large = [...field.files].filter((file) => isVideo(file) && file.size > limitOf(field, file));
    tray.querySelector(".tray__shrink").hidden = !large.some((file) => file.size <= SHRINKABLE);
    complain(field.form, refusals(field));
    tray.hidden = field.files.length === 0;
  };

  const shown = (field, file, place, tray) => {
    const item = document.createElement("li");
    item.className = "tray__file";
    if (/^image\/(jpeg|png|webp|gif)$/.test(file.type)) {
      const picture = document.createElement("img");
      picture.src = URL.createObjectURL(file);
      picture.alt = "";
      item.append(picture);
    }
    const words = document.createElement("span");
    const name = document.createElement("b");
    name.textContent = file.name;
    const about = document.createElement("small");
    about.textContent = size(file.size);
    words.append(name, about);
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "btn btn--ghost btn--icon btn--sm";
    remove.setAttribute("aria-label", `${tray.dataset.remove} ${file.name}`);
    remove.textContent = "×";
    remove.addEventListener("click", () => put(field, [...field.files].filter((_each, other) => other !== place)));
    item.append(words, remove);
    return item;
  };

  const complain = (form, reasons) => {
    const tray = form.querySelector("[data-tray]");
    tray.hidden = false;
    tray.querySelectorAll(".composer__error").forEach((error) => error.remove());
    for (const reason of reasons) {
      const line = document.createElement("p");
      line.className = "composer__error";
      line.setAttribute("role", "alert");
      line.textContent = reason;
      tray.append(line);
    }
  };

  const landed = (form, request) => {
    const log = document.getElementById("log");
    const isHere = document.getElementById("composer")?.dataset.conversation === form.dataset.conversation;
    for (const bubble of isHere ? parsed(request.responseText) : []) {
      const there = document.getElementById(bubble.id);
      if (there) there.replaceWith(bubble);
      else log.append(bubble);
      window.htmx?.process(bubble);
    }
    if (isHere) log.parentElement.scrollTop = log.parentElement.scrollHeight;
    document.dispatchEvent(new CustomEvent("message-sent", { detail: { conversation: form.dataset.conversation } }));
  };

  // Sends a form's data with one or more files; resolves to whether all of it was taken.
  const send = (form, data) =>
    new Promise((resolve) => {
      const tray = form.querySelector("[data-tray]");
      const progress = tray.querySelector("progress");
      const button = form.querySelector("[type=submit]");
      const request = new XMLHttpRequest();
      const done = (taken) => {
        progress.hidden = true;
        button.disabled = false;
        resolve(taken);
      };
      request.open("POST", form.querySelector("[data-files]").dataset.to);
      request.setRequestHeader("HX-Request", "true");
      request.upload.addEventListener("progress", (event) => {
        progress.value = event.lengthComputable ? (100 * event.loaded) / event.total : 0;
      });
      request.addEventListener("error", () => {
        complain(form, [tray.dataset.offline]);
        done(false);
      });
      request.addEventListener("load", () => {
        const redirect = request.getResponseHeader("HX-Redirect");
        if (redirect) return location.assign(redirect);
        if (request.status === 201) {
          landed(form, request);
          return done(true);
        }
        let reasons = [tray.dataset.offline];
        try {
          reasons = JSON.parse(request.responseText).errors ?? reasons;
        } catch {
          // A page instead of an answer: the sentence above says what to do.
        }
        complain(form, reasons);
        done(false);
      });
      tray.hidden = false;
      progress.value = 0;
      progress.hidden = false;
      button.disabled = true;
      request.send(data);
    });
  window.ventanaFiles = { send };

  const sendChosen = async (form) => {
    const field = form.querySelector("[data-files]");
    const reasons = refusals(field);
    if (reasons.length) return complain(form, reasons);
    if (!(await send(form, new FormData(form)))) return;
    put(field, []);
    form.querySelector("[name=shrink]").checked = false;
    document.dispatchEvent(new CustomEvent("files-sent", { detail: { form } }));
  };

  // Before the composer's own listener: with files it is another form.
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target.closest("form[data-composer]");
      const field = form?.querySelector("[data-files]");
      if (!field?.files.length) return;
      event.preventDefault();
      event.stopPropagation();
      if (!form.querySelector("[type=submit]").disabled) sendChosen(form);
    },
    true,
  );

  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-files]")) show(event.target);
    else if (event.target.matches?.("#composer [name=shrink]")) show(input());
  });

  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || !input() || !event.target.closest?.("#conversation")) return;
    event.preventDefault();
    put(input(), [...input().files, ...files]);
  });

  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault(); // also elsewhere on the page: a file that misses must not replace it
    input()?.form.classList.toggle("is-target", Boolean(event.target.closest?.("#conversation")));
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) input()?.form.classList.remove("is-target");
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const field = input();
    field?.form.classList.remove("is-target");
    if (field && event.target.closest?.("#conversation")) put(field, [...field.files, ...event.dataTransfer.files]);
  });
})();
