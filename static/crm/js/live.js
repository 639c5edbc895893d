// The page hears *which* conversations changed and fetches what they look like now: rows, counters, the open thread.
// One way in for everything: the stream, an action of one's own, the minute that passed, the poll while the stream is down.
(() => {
  const inbox = document.getElementById("inbox");
  if (!inbox) return;

  const COALESCE = 20, WHOLE = 1_000, MOST_NAMED = 100, MINUTE = 60_000, POLL = 15_000, PATIENCE = 5_000, MOST_REST = 1_000, AFTER_FAILURE = 3_000, GIVE_UP = 15_000;
  const MOST_ROWS = 1_000;
  const byId = (id) => document.getElementById(id);
  const list = () => byId("rows");
  const process = (node) => window.htmx?.process(node);

  // --- Asking ------------------------------------------------------------------------------------------------------
  let named = new Set(), everything = false, timer = null, asking = false, restsUntil = 0;

  const ask = (conversations) => {
    if (conversations) conversations.forEach((id) => named.add(id));
    else everything = true;
    if (!timer && !asking) timer = setTimeout(fetchChanges, Math.max(COALESCE, restsUntil - performance.now()));
  };

  // Messages are shown as they come; what stands around them (counters, the head of the thread, its panel) follows once a
  // second at most, and is owed until then. What somebody did on this page is answered as a whole.
  let wholeAt = -Infinity, owed = null, debt = null;
  const openNow = () => byId("conversation")?.dataset.open;
  const owe = (ids) => {
    owed = ids.find((id) => id === openNow()) ?? owed ?? ids[0];
    debt ??= setTimeout(() => {
      debt = null;
      if (owed) ask([owed]);
    }, Math.max(0, wholeAt + WHOLE - performance.now()));
  };

  const get = async (ids, isBrief) => {
    const query = list()?.dataset.query ?? "";
    const parameters = new URLSearchParams(query);
    const composer = byId("composer");
    if (ids.length) parameters.set("ids", ids.join(","));
    if (isBrief) parameters.set("brief", "");
    const open = openNow();
    if (open) parameters.set("open", open);
    if (composer) parameters.set("writes", composer.dataset.writes);
    const response = await fetch(`${inbox.dataset.changes}?${parameters}`, {
      headers: { "HX-Request": "true" },
      signal: AbortSignal.timeout(GIVE_UP), // an answer that never comes must not be the last one asked for
    });
    if (response.headers.has("HX-Redirect")) return location.assign(response.headers.get("HX-Redirect"));
    if (!response.ok) throw new Error(String(response.status));
    const answer = new DOMParser().parseFromString(await response.text(), "text/html");
    // The person may have gone on to another view or conversation while this was under way.
    if (list()?.dataset.query !== query) throw new Error("another view");
    return { answer, isStale: openNow() !== open };
  };

  const fetchChanges = async () => {
    timer = null;
    asking = true;
    const all = everything, began = performance.now(), isBrief = !all && began < wholeAt + WHOLE;
    if (!isBrief && owed) named = new Set([owed, ...named]);
    const ids = [...named].slice(0, MOST_NAMED);
    everything = false;
    named = all ? new Set() : new Set([...named].slice(MOST_NAMED));
    try {
      const { answer, isStale } = await get(all ? [] : ids, isBrief);
      if (isBrief) owe(ids);
      else [wholeAt, owed] = [began, null];
      const rows = [...answer.querySelectorAll("[data-rows] > li")], shown = new Set(rows.map((row) => row.id));
      const more = all && answer.querySelector("[data-below] > #more"), last = rows.at(-1);
      const isWhole = !more || (!isTorn && reaches(last) && !isTooLong());
      apply(answer, isStale, began);
      if (!isWhole) cutBelow(last.id, more);
      if (!all && isTooLong()) everything = true;
      if (all) {
        // Rows below the first page, or that left the view: ask for them by name.
        const rest = [...(list()?.querySelectorAll(".list-row") ?? [])].filter((row) => !shown.has(row.id));
        rest.forEach((row) => named.add(row.id.replace("conversation-", "")));
      }
      // A busy server or a slow line is asked less often, but never so seldom that somebody would notice.
      restsUntil = performance.now() + Math.min(performance.now() - began, MOST_REST);
    } catch {
      // Nothing that was heard is forgotten: it is asked for again, less often.
      everything ||= all;
      ids.forEach((id) => named.add(id));
      restsUntil = performance.now() + AFTER_FAILURE;
    }
    asking = false;
    if (everything || named.size) ask([]);
  };

  // --- Putting in place --------------------------------------------------------------------------------------------
  const apply = (answer, isStale, began) => {
    answer.querySelectorAll("[data-rows] > li").forEach(showRow);
    answer.querySelectorAll("[data-gone] > li").forEach((item) => takeAway(byId(`conversation-${item.dataset.id}`)));
    answer.querySelectorAll("[data-parts] > *").forEach((part) => {
      if (isStale && part.closest("header.thread__head, .window-bar, .panel")) return;
      const old = byId(part.id);
      if (!old || old.isEqualNode(part) || isBusy(old, began)) return;
      const focused = old.contains(document.activeElement) ? document.activeElement.name : "";
      keepChoices(old, part);
      old.replaceWith(part);
      process(part);
      if (focused) part.querySelector(`[name="${focused}"]`)?.focus({ preventScroll: true });
    });
    if (!isStale) {
      const log = answer.querySelector("[data-log]");
      if (log && byId("log")) showLog([...log.children], log.hasAttribute("data-brief"));
      const composer = answer.querySelector("[data-composer-now] > form");
      if (composer && byId("composer")) {
        byId("composer").replaceWith(composer);
        process(composer);
      }
      if (answer.querySelector("[data-lost]")) return location.assign(`${location.pathname.replace(/[^/]+\/$/, "")}${location.search}`);
      markRead();
    }
    document.dispatchEvent(new CustomEvent("inbox-updated"));
  };

  // A menu that is open, a field that is being filled, or a form whose answer is under way is not pulled away: htmx
  // tells what the answer says to the form that asked, and nobody would hear it. A form that was answered is done with,
  // but only by what was asked for after its answer: what was under way then does not know of it yet.
  const BUSY = "details.menu[open], :is(input, select):focus:not([data-answered] *), .htmx-request, :is(button, summary, a):active";
  const isBusy = (part, began) => part.querySelector(BUSY)
    || [...part.querySelectorAll("[data-answered]")].some((form) => Number(form.dataset.answered) > began);

  // What somebody chose or wrote and has not handed in yet stays chosen in what takes its place.
  const isChanged = (field) => field.matches("select")
    ? field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected))
    : field.value !== field.defaultValue;
  const keepChoices = (old, part) => old.querySelectorAll("form select, form input:is([type=text], [type=search], :not([type]))").forEach((field) => {
    if (!field.name || field.closest("[data-answered]") || !isChanged(field)) return;
    const twin = [...part.querySelectorAll(`[name="${field.name}"]`)].find((each) => each.form?.getAttribute("action") === field.form.getAttribute("action"));
    if (twin && (!twin.options || [...twin.options].some((option) => option.value === field.value))) twin.value = field.value;
  });

  // Rows do not jump under the pointer: while it is over the list they change where they are, and move when it leaves. One
  // that is pressed down does not even change, or the click would not find where it began.
  const isWatched = () => list().matches(":hover") || list().contains(document.activeElement);
  const STAYS = new Set(["answered"]); // who has been answered falls down only when the list is opened anew

  const showRow = (row) => {
    const old = byId(row.id);
    if (!old) return insert(row);
    if (old.querySelector(".conv:active")) return named.add(row.id.replace("conversation-", "")); // asked for again
    if (Number(row.dataset.unreadCount) > Number(old.dataset.unreadCount)) announce(row);
    const isFocused = old.contains(document.activeElement);
    const moves = old.dataset.section !== row.dataset.section || old.dataset.position !== row.dataset.position;
    if (!moves || STAYS.has(row.dataset.section) || isWatched()) {
      if (moves && !STAYS.has(row.dataset.section)) row.dataset.waits = "";
      old.replaceWith(row);
      process(row);
    } else {
      old.remove();
      insert(row, true);
    }
    if (isFocused) row.querySelector(".conv").focus({ preventScroll: true });
  };

  const insert = (row, isKnown = false) => {
    const { section, position } = row.dataset, here = Number(position);
    const isRow = (node) => node?.matches(".list-row");
    // As the server sorts: WhatsApp's moments are whole seconds, and those of one second go by their ids.
    // Among them may be one of another section, that stays where it was answered.
    const isBelow = (each) => {
      const there = Number(each.dataset.position);
      if (each.dataset.section !== section) return false;
      return there === here ? (here < 0 ? each.id < row.id : each.id > row.id) : there > here;
    };
    let above = byId(`section-${section}`), below = above?.nextElementSibling; // from the top: what is new comes near it
    while (isRow(below) && !isBelow(below)) [above, below] = [below, below.nextElementSibling];
    if (isRow(below)) below.before(row);
    else if (byId("more") && (!above || below?.id === "more")) return; // further down than what is loaded
    else if (above) above.after(row);
    else byId("nobody").before(row);
    process(row);
    if (!isKnown && Number(row.dataset.unreadCount)) announce(row);
  };

  const takeAway = (row) => {
    if (!row) return;
    if (isWatched()) row.dataset.gone = "";
    else row.remove();
  };

  // A list stays whole and short. Where so much came that the first page does not reach what was there before, or where the
  // page has been open all day, what is below the first page goes, and comes again as one scrolls; never under somebody's eyes.
  let isTorn = false;
  const isLookedThrough = () => list().parentElement.scrollTop > 0 || list().contains(document.activeElement);
  const isTooLong = () => byId("more") && list().getElementsByClassName("list-row").length > MOST_ROWS && !isLookedThrough();

  const reaches = (last) => {
    const old = last && byId(last.id);
    return old && old.dataset.section === last.dataset.section && old.dataset.position === last.dataset.position;
  };

  const cutBelow = (id, more) => {
    const last = byId(id);
    if (!last || isLookedThrough()) return (isTorn = true);
    isTorn = false;
    while (last.nextElementSibling && last.nextElementSibling.id !== "nobody") last.nextElementSibling.remove();
    last.after(more);
    process(more);
  };
  document.addEventListener("scroll", (event) => {
    if (isTorn && event.target === list()?.parentElement && !isLookedThrough()) ask();
  }, true);

  document.addEventListener("pointerout", (event) => {
    if (!event.target.closest?.("#rows") || event.relatedTarget?.closest?.("#rows")) return;
    list().querySelectorAll("[data-gone]").forEach((row) => row.remove());
    list().querySelectorAll("[data-waits]").forEach((row) => {
      delete row.dataset.waits;
      row.remove();
      insert(row, true);
    });
  });

  // The answer holds the end of the thread, each part with its id: what is there is renewed, what is new comes after it.
  const showLog = (items, isBrief) => {
    const log = byId("log");
    const isHere = (item) => log.contains(byId(item.id));
    const parts = items.filter((item) => item.id !== "older" && item.id !== "unread");
    // The day that it begins with may stand far above, with all of that day that the answer does not hold.
    if (parts[0]?.matches(".day") && isHere(parts[0])) parts.shift();
    if (log.querySelector(".msg[data-message]") && !parts.some((item) => item.dataset.message && isHere(item))) {
      if (isBrief) {
        wholeAt = -Infinity; // it does not reach what is here: a whole answer will, or takes the place of all
        return ask([openNow()]);
      }
      log.replaceChildren(...items); // so much came that nothing of the old page is left
      return process(log);
    }
    let above = null;
    parts.forEach((item, position) => {
      const old = byId(item.id);
      if (isHere(item)) {
        above = old;
        if (!old.isEqualNode(item)) {
          const hadFocus = old.contains(document.activeElement);
          old.replaceWith(item);
          process(item);
          above = item;
          if (hadFocus) (item.querySelector("button, a") ?? log.parentElement).focus({ preventScroll: true });
        }
        return;
      }
      const next = above ? null : byId(parts.slice(position + 1).find(isHere)?.id);
      if (above) above.after(item);
      else if (next) next.before(item);
      else log.append(item);
      process(item);
      above = item;
    });
  };

  const markRead = () => {
    const head = document.querySelector(".thread__head[data-unread]");
    if (!head || document.hidden) return;
    head.removeAttribute("data-unread");
    window.htmx?.ajax("POST", head.dataset.reading, { source: head, swap: "none" });
  };
  document.addEventListener("visibilitychange", markRead);
  document.addEventListener("htmx:afterSettle", markRead);

  const announce = (row) => {
    const region = byId("announcements");
    if (region && row.id !== `conversation-${byId("conversation")?.dataset.open}`) region.textContent = `${list().dataset.announce} ${row.dataset.name}`;
  };

  // --- Hearing -----------------------------------------------------------------------------------------------------
  let source = null, downSince = Date.now(), poll = null;

  const listen = () => {
    source?.close();
    source = new EventSource(inbox.dataset.live);
    source.addEventListener("open", () => {
      downSince = null;
      showStream();
    });
    source.addEventListener("error", () => {
      downSince ??= Date.now();
    });
    source.addEventListener("change", (event) => ask(JSON.parse(event.data).conversations));
    source.addEventListener("refresh", () => ask());
  };

  const showStream = () => {
    const isDown = downSince !== null && Date.now() - downSince > PATIENCE;
    byId("live-notice")?.toggleAttribute("hidden", !isDown);
    if (isDown && !poll) {
      ask();
      poll = setInterval(() => {
        ask();
        if (source.readyState === EventSource.CLOSED) listen(); // the browser gave up; we do not
      }, POLL);
    }
    if (!isDown && poll) poll = void clearInterval(poll);
  };

  listen();
  markRead();
  setInterval(showStream, 1_000);
  setInterval(() => ask(), MINUTE); // windows shrink by the server's clock
  document.addEventListener("conversations-changed", (event) => {
    event.target.closest?.(".panel form")?.setAttribute("data-answered", performance.now());
    wholeAt = -Infinity;
    ask(event.detail.conversations);
  });
  window.addEventListener("pagehide", () => source.close());
  window.addEventListener("pageshow", (event) => event.persisted && listen());
})();
