/* The frame around every page: palette, keys, sheets, selection in lists, columns, the bell. As in app.js everything is
   delegated from document, and no page needs it. Nothing here sends anything but searches. */
(() => {
  "use strict";
  const { one, all, words, say, keep, kept, openDialog, nextTheme } = window.meshui;
  const ASKS = { "HX-Request": "true", "HX-Request-Type": "partial" };
  const person = () => one("#palette")?.dataset.person ?? "";
  const isLocal = (url) => typeof url === "string" && /^\/(?![/\\])/.test(url);
  /* what this person's browser keeps; another person's is dropped */
  function stored(box, name) {
    try { return JSON.parse(box.getItem(`meshui.${name}.${person()}`)) ?? []; } catch { return []; }
  }
  function store(box, name, value) {
    try {
      Object.keys(box).filter((key) => key.startsWith(`meshui.${name}.`) && !key.endsWith(`.${person()}`)).forEach((key) => box.removeItem(key));
      box.setItem(`meshui.${name}.${person()}`, JSON.stringify(value));
    } catch { /* a browser that keeps nothing: the page works as well */ }
  }
  function forget() {
    for (const box of [localStorage, sessionStorage]) Object.keys(box).filter((key) => key.startsWith("meshui.")).forEach((key) => box.removeItem(key));
  }
  async function fragment(url, signal) {
    const answer = await fetch(url, { headers: { ...ASKS, "HX-Current-URL": location.href }, signal });
    const elsewhere = answer.headers.get("HX-Redirect");
    if (elsewhere) { location.assign(elsewhere); return ""; }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.text();
  }

  /* palette: combobox and listbox; the active option is named by aria-activedescendant, the focus stays in the field */
  let asking = null, waiting = 0;
  const options = () => all("#palette [role=option]");
  function setActive(option) {
    options().forEach((each) => each.setAttribute("aria-selected", each === option));
    const field = one("#palette input");
    if (option) { field.setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
    else field.removeAttribute("aria-activedescendant");
  }
  function drawRecents(list) {
    const group = document.createElement("div"), title = document.createElement("p");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", words().sayRecent);
    title.setAttribute("aria-hidden", "true");
    title.textContent = words().sayRecent;
    group.append(title);
    stored(localStorage, "recent").filter((each) => isLocal(each.url)).forEach((each, i) => {
      const option = document.createElement("a"), label = document.createElement("b");
      option.setAttribute("role", "option");
      option.tabIndex = -1;
      option.id = `recent-${i}`;
      option.href = each.url;
      label.textContent = each.label;
      option.append(one("#palette .pal-recent svg").cloneNode(true), label);
      group.append(option);
    });
    if (one("[role=option]", group)) list.prepend(group);
  }
  async function ask(text) {
    asking?.abort();
    const mine = asking = new AbortController();
    try {
      const html = await fragment(`/search/?q=${encodeURIComponent(text)}`, mine.signal);
      if (mine !== asking || !html) return;
      one("#palette-list").outerHTML = html;
      if (!text.trim()) drawRecents(one("#palette-list"));
      setActive(options()[0]);
      say(one("#palette-list").dataset.said ?? "", "palette-said");
    } catch (error) {
      if (error.name !== "AbortError") say(words().sayLost, "palette-said");
    }
  }
  function openPalette() {
    const dialog = one("#palette");
    if (!dialog || dialog.open || one("dialog[open]")) return;
    const before = document.activeElement;
    dialog.showModal();
    const field = one("input", dialog);
    field.select();
    ask(field.value);
    dialog.addEventListener("close", () => { if (before?.isConnected) before.focus(); }, { once: true });
  }
  function choose(option) {
    if (!option) return;
    const mine = { url: option.getAttribute("href"), label: one("b", option).textContent };
    store(localStorage, "recent", [mine, ...stored(localStorage, "recent").filter((each) => each.url !== mine.url)].slice(0, 6));
    one("#palette").close();
  }
  function moveInPalette(event) {
    const found = options(), at = found.findIndex((each) => each.getAttribute("aria-selected") === "true");
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: found.length - 1 }[event.key];
    if (event.key === "Enter") { event.preventDefault(); found[at]?.click(); }
    else if (next !== undefined && found.length && !(/Home|End/.test(event.key) && event.target.value)) {
      event.preventDefault();
      setActive(found[(next + found.length) % found.length]);
    }
  }

  /* sheets: a page that opens in a dialog; without script its link leads to the page */
  async function openSheet(link) {
    const sheet = one("#sheet"), url = new URL(link.href);
    if ("here" in link.dataset) {
      const here = new URL(location.href), hidden = one("table[data-columns]")?.dataset.hide;
      if (hidden && url.pathname === "/views/") here.searchParams.set("hide", hidden.replaceAll(" ", "."));
      url.searchParams.set("at", here.pathname + here.search);
    }
    try { one("[data-sheet-body]", sheet).innerHTML = await fragment(url); }
    catch { location.assign(url); return; }
    if (!sheet.open) sheet.showModal();
    one("h2", sheet)?.focus();
    sheet.addEventListener("close", () => { if (link.isConnected) link.focus(); }, { once: true });
  }

  /* lists: j and k go from row to row by the link of each, x selects */
  const links = () => all("main table.t tbody tr").map((row) => one("b a, th a, td a", row)).filter(Boolean);
  function step(by) {
    const found = links(), here = document.activeElement?.closest?.("main table.t tbody tr");
    const at = found.findIndex((link) => link.closest("tr") === here);
    const next = found[at < 0 ? (by > 0 ? 0 : found.length - 1) : Math.max(0, Math.min(found.length - 1, at + by))];
    next?.focus();
    next?.closest("tr").scrollIntoView({ block: "nearest" });
  }
  function select() {
    const box = one("input[name=item]", document.activeElement?.closest?.("tr") ?? document.createElement("tr"));
    if (!box) return false;
    box.click();
    return true;
  }
  function countSelected() {
    const form = one("form[data-bulk]");
    if (!form) return;
    const boxes = all(`input[name=item][form=${form.id}]`), chosen = boxes.filter((box) => box.checked).length;
    all("[data-chosen]", form).forEach((place) => { place.textContent = chosen; });
    const every = one("[data-every]");
    if (every) { every.checked = chosen > 0 && chosen === boxes.length; every.indeterminate = chosen > 0 && chosen < boxes.length; }
  }

  /* columns: which ones are hidden is a cookie that the server writes into the table, so no first frame shows them */
  function drawColumns(menu) {
    const table = one("table[data-columns]"), list = one("[data-column-list]", menu);
    if (!table) return;
    const hidden = new Set((table.dataset.hide ?? "").split(" "));
    list.replaceChildren(...all("thead th", table).slice(1).map((head, i) => {
      const label = document.createElement("label"), box = document.createElement("input");
      box.type = "checkbox";
      box.value = i + 2;
      box.checked = !hidden.has(String(i + 2));
      label.append(box, head.textContent.trim());
      return label;
    }));
  }
  function keepColumns(menu) {
    const hidden = all("input", menu).filter((box) => !box.checked).map((box) => box.value);
    const table = one("table[data-columns]");
    table.dataset.hide = hidden.join(" ");
    keep(`columns-${table.dataset.columns}`, hidden.join("."));
  }

  /* bell: what toasts said in this session; a hidden tab says in its title that something is new */
  const title = document.title;
  let unseen = 0;
  function drawBell() {
    const list = one("[data-bell]");
    if (!list) return;
    const told = stored(sessionStorage, "bell");
    list.replaceChildren(...told.map((each) => {
      const item = document.createElement("li"), time = document.createElement("time");
      time.dateTime = each.at;
      time.textContent = new Date(each.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      item.append(each.text, time);
      return item;
    }));
    one("[data-bell-none]").hidden = told.length > 0;
    const count = stored(sessionStorage, "new").length;
    all("[data-bell-count]").forEach((place) => { place.textContent = count || ""; place.hidden = !count; });
  }
  function ring(text) {
    store(sessionStorage, "bell", [{ text, at: new Date().toISOString() }, ...stored(sessionStorage, "bell")].slice(0, 20));
    store(sessionStorage, "new", [...stored(sessionStorage, "new"), 1].slice(-20));
    if (document.hidden) { unseen += 1; document.title = `(${unseen}) ${text}`; }
    drawBell();
  }
  function hearToasts() {
    all("[data-toast]:not([data-rung])").forEach((toast) => {
      toast.dataset.rung = "yes";
      ring(one("span", toast).textContent.trim());
    });
  }
  document.addEventListener("meshui:done", (event) => ring(String(event.detail?.text ?? "")));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { unseen = 0; document.title = title; } });

  /* help: only the keys that do something on this page */
  function tellKeys() { all("#keys [data-when]").forEach((row) => { row.hidden = !one(row.dataset.when); }); }

  /* keys: single ones can be switched off, never act while somebody writes, and never send anything */
  let goneAt = -Infinity;
  const KEYS = {
    t: () => nextTheme(),
    "?": () => { const button = one("[popovertarget=keys][data-dialog]"); if (button) { tellKeys(); openDialog(button); } },
    "/": () => { const field = one("[data-filter] input[type=search]"); field?.focus(); field?.select(); return Boolean(field); },
    j: () => step(1),
    k: () => step(-1),
    x: () => select(),
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      if (one("#palette")) { event.preventDefault(); openPalette(); }
      return;
    }
    if (event.target.closest?.("#palette")) { moveInPalette(event); return; }
    const isWriting = event.target.closest?.("input:not([type=checkbox], [type=radio], [type=range]), select, textarea, [contenteditable]");
    if (event.key === "Escape" && one("#side.open")) { one("[data-menu]").click(); one("[data-menu]").focus(); return; }
    if (isWriting || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || kept("keys") === "off" || one("dialog[open]")) return;
    if (event.timeStamp - goneAt < 1200) {
      goneAt = -Infinity;
      const link = event.key.length === 1 && all(".nav a[data-key]").find((each) => each.dataset.key === event.key);
      if (link) { event.preventDefault(); link.click(); return; }
    }
    if (event.key === "g") { goneAt = event.timeStamp; return; }
    if (Object.hasOwn(KEYS, event.key) && KEYS[event.key]() !== false) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest?.(selector);
    const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    let found;
    if ((found = hit("#palette [role=option]"))) choose(found);
    else if (isPlain && (found = hit("[data-palette]"))) { event.preventDefault(); openPalette(); }
    else if (isPlain && (found = hit("[data-sheet]"))) { event.preventDefault(); openSheet(found); }
    else if (hit("[data-palette-close]")) one("#palette").close();
    else if ((found = hit("dialog.pal, dialog.sheet")) && event.target === found) found.close();
    else if (hit("[popovertarget=keys]")) tellKeys();
    else if (hit("[popovertarget=bell]")) { store(sessionStorage, "new", []); drawBell(); }
    else if ((found = hit("[popovertarget=columns]"))) drawColumns(one("#columns"));
    else if (hit("[data-search-form]")) event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("#palette form")) event.preventDefault();
    else if (event.target.closest(".me")) forget();
  });
  /* the order of a list may have changed since its filters were drawn: they send the one of the URL */
  function keepOrder(form) {
    const asked = new URLSearchParams(location.search);
    for (const name of ["sort", "env", "hide", "group", "rows"]) {
      let field = one(`input[type=hidden][name=${name}]`, form);
      if (!field && !asked.get(name)) continue;
      if (!field) { field = document.createElement("input"); field.type = "hidden"; field.name = name; form.prepend(field); }
      field.value = asked.get(name) ?? "";
    }
  }
  document.addEventListener("input", (event) => {
    const form = event.target.closest?.("[data-filter]");
    if (form) keepOrder(form);
    if (!event.target.matches("#palette input")) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => ask(event.target.value), 120);
  });
  document.addEventListener("change", (event) => {
    if (event.target.closest("#columns")) keepColumns(one("#columns"));
    else if (event.target.matches("[data-every]")) {
      all("input[name=item]", event.target.closest("table")).forEach((box) => { box.checked = event.target.checked; });
      countSelected();
    } else if (event.target.matches("input[name=item]")) countSelected();
  });

  /* what a filter found, in words; ticking numbers are not said */
  document.addEventListener("htmx:after:swap", () => {
    hearToasts();
    countSelected();
    const count = one("#table [data-found]");
    if (count && one("[data-filter]")) {
      const text = count.dataset.found;
      if (text !== one("#said").textContent) say(text);
    }
  });
  document.addEventListener("DOMContentLoaded", () => {
    all("[data-palette]").forEach((link) => { link.setAttribute("role", "button"); link.setAttribute("aria-haspopup", "dialog"); });
    all("[data-sheet]").forEach((link) => link.setAttribute("aria-haspopup", "dialog"));
    drawBell();
    hearToasts();
    countSelected();
    document.documentElement.dataset.frame = "ready";
  });
})();
