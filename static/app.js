/* MeshUI's own script. Everything is delegated from document, so that whatever htmx puts on the page works at once and Back
   finds nothing dead. No page needs it: it adds the theme switch, dialogs, toasts, copying and the split editor. */
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const words = () => document.body.dataset;
  const say = (text, id = "said") => { const region = document.getElementById(id); if (region) region.textContent = text; };
  const keep = (name, value) => { document.cookie = `${name}=${value};path=/;max-age=31536000;samesite=lax${location.protocol === "https:" ? ";secure" : ""}`; };
  const kept = (name) => document.cookie.split("; ").find((pair) => pair.startsWith(name + "="))?.split("=")[1] ?? "";

  /* theme: the server writes it into <html>, so the first painted frame is right */
  const THEMES = ["light", "dark", "system"];
  function nextTheme() {
    const root = document.documentElement;
    const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
    root.dataset.theme = next;
    keep("theme", next);
    say({ light: words().sayThemeLight, dark: words().sayThemeDark, system: words().sayThemeSystem }[next] ?? "");
  }

  /* dialogs: without script they open as popovers, with it as modal dialogs that give the focus back; what comes live leaves an open one alone */
  function openDialog(button) {
    const dialog = document.getElementById(button.getAttribute("popovertarget"));
    if (!dialog || dialog.open) return;
    if (dialog.matches(":popover-open")) dialog.hidePopover();
    dialog.removeAttribute("popover");
    dialog.setAttribute("hx-morph-skip", "");
    dialog.showModal();
    dialog.addEventListener("close", () => { dialog.setAttribute("popover", ""); dialog.removeAttribute("hx-morph-skip"); if (button.isConnected) button.focus(); }, { once: true });
  }

  /* toasts: six seconds, longer while they are pointed at or hold the focus */
  function watchToast(toast) {
    if (toast.dataset.watched) return;
    toast.dataset.watched = "yes";
    const leave = () => { if (toast.matches(":hover, :focus-within")) setTimeout(leave, 2000); else toast.remove(); };
    setTimeout(leave, 6000);
  }

  async function copy(button) {
    const text = button.dataset.copy;
    await navigator.clipboard.writeText(text);
    const label = button.lastChild;
    const before = label.textContent;
    label.textContent = words().sayCopied;
    say(words().sayCopied);
    setTimeout(() => { label.textContent = before; }, 1500);
  }

  function toggleMenu(button, open = !one("#side").classList.contains("open")) {
    one("#side").classList.toggle("open", open);
    button.setAttribute("aria-expanded", open);
    if (open) one("#side a")?.focus();
  }

  /* split editor: basis points; the sum is 10,000 at every moment, a locked row never moves */
  const FULL = 10000;
  const rowsOf = (editor) => all(".bk", editor);
  const fieldOf = (row) => one(".stp input", row);
  const isLocked = (row) => one(".lock", row).getAttribute("aria-pressed") === "true";
  const liveOf = (row) => Number(row.dataset.live);
  const asText = (bp) => (bp / 100).toFixed(2).replace(/\.?0+$/, "");
  const asPercent = (bp) => asText(bp) + "\u202f%";
  function parsed(text) {
    const cleaned = text.replace(/[%\s\u202f\u00a0]/g, "").replace(",", ".");
    const value = cleaned === "" ? NaN : Math.round(Number(cleaned) * 100);
    return value >= 0 && value <= FULL ? value : NaN;
  }
  const valueOf = (row) => { const value = parsed(fieldOf(row).value); return Number.isNaN(value) ? Number(row.dataset.bp ?? row.dataset.live) : value; };
  /* largest remainder; ties go to the first: the same cases as traffic.weights.distribute */
  function distribute(total, shares) {
    const whole = shares.reduce((a, b) => a + b, 0);
    const weights = whole > 0 ? shares : shares.map(() => 1);
    const sum = whole > 0 ? whole : shares.length;
    const floors = weights.map((share) => Math.floor((total * share) / sum));
    let left = total - floors.reduce((a, b) => a + b, 0);
    weights.map((share, i) => [(total * share) % sum, i]).sort((a, b) => b[0] - a[0] || a[1] - b[1])
      .forEach(([, i]) => { if (left > 0) { floors[i] += 1; left -= 1; } });
    return floors;
  }
  function setShares(editor, pairs) {
    pairs.forEach(([row, bp]) => { row.dataset.bp = bp; fieldOf(row).value = asText(bp); fieldOf(row).removeAttribute("aria-invalid"); });
    paint(editor);
  }
  function setShare(editor, row, wanted) {
    if (isLocked(row)) return setShares(editor, [[row, Number(row.dataset.bp)]]);
    const others = rowsOf(editor).filter((other) => other !== row);
    const free = others.filter((other) => !isLocked(other));
    const fixed = others.filter(isLocked).reduce((sum, other) => sum + valueOf(other), 0);
    if (!free.length) return setShares(editor, [[row, FULL - fixed]]);
    const bp = Math.max(0, Math.min(FULL - fixed, wanted));
    const rest = distribute(FULL - fixed - bp, free.map(valueOf));
    return setShares(editor, [[row, bp], ...free.map((other, i) => [other, rest[i]])]);
  }
  function setEven(editor) {
    const free = rowsOf(editor).filter((row) => !isLocked(row));
    const fixed = rowsOf(editor).filter(isLocked).reduce((sum, row) => sum + valueOf(row), 0);
    if (free.length) setShares(editor, distribute(FULL - fixed, free.map(() => 1)).map((bp, i) => [free[i], bp]));
  }
  function resetEditor(editor) {
    rowsOf(editor).forEach((row) => { one(".lock", row).setAttribute("aria-pressed", "false"); fieldOf(row).readOnly = false; });
    setShares(editor, rowsOf(editor).map((row) => [row, liveOf(row)]));
  }
  function targetOf(editor) {
    const rows = rowsOf(editor);
    return rows.find((row) => row.dataset.target) ?? rows.at(-1);
  }
  function choose(row) {
    const editor = row.closest("[data-split]");
    rowsOf(editor).forEach((other) => { delete other.dataset.target; });
    row.dataset.target = "yes";
    paint(editor);
  }
  function paintBar(bar, shares) {
    let start = 0;
    all("g", bar).forEach((segment, i, segments) => {
      const share = i === segments.length - 1 ? shares.slice(i).reduce((a, b) => a + b, 0) : shares[i];
      const box = one("rect", segment), text = one("text", segment);
      box.setAttribute("x", `${start / 100}%`);
      box.setAttribute("width", `${share / 100}%`);
      text.setAttribute("x", `${(start + share / 2) / 100}%`);
      text.textContent = share >= 600 ? asPercent(share) : "";
      start += share;
    });
  }
  function paint(editor) {
    const rows = rowsOf(editor), shares = rows.map(valueOf), target = targetOf(editor);
    rows.forEach((row, i) => {
      const range = one("input[type=range]", row), name = row.dataset.name;
      range.value = shares[i];
      range.setAttribute("aria-valuetext", asPercent(shares[i]));
      one(".tr", row).setAttribute("width", `${shares[i] / 100}%`);
      row.classList.toggle("locked", isLocked(row));
      if (row === target) one("[data-split-target]", editor).textContent = name;
    });
    all("[data-preset]", editor).forEach((button) => button.setAttribute("aria-pressed", Number(button.dataset.preset) === valueOf(target)));
    const bar = one(".sbar.full", editor);
    if (bar) paintBar(bar, shares);
    saySum(editor, rows, shares);
    sayMoves(editor.closest("form") ?? editor);
  }
  /* the sum below one editor, the consequence of all editors of a form, and in how many places */
  function saySum(editor, rows, shares) {
    const place = editor.nextElementSibling;
    if (!place?.matches("[data-split-says]")) return;
    place.textContent = `${rows.map((row, i) => `${row.dataset.name} ${asPercent(shares[i])}`).join(", ")}: ${place.dataset.together} ${asPercent(shares.reduce((a, b) => a + b, 0))}.`;
  }
  function sayMoves(form) {
    const moved = all("[data-split] .bk", form).filter((row) => valueOf(row) !== liveOf(row)).map((row) => `${row.dataset.name} ${"new" in row.dataset ? "–" : asPercent(liveOf(row))} → ${asPercent(valueOf(row))}`);
    all("[data-split-sum]", form).forEach((place) => { place.textContent = moved.join(", ") || (place.dataset.nothing ?? ""); });
    all("[data-split-moved]", form).forEach((place) => { place.textContent = movedWords(form, place.dataset); });
    all("[data-picked]", form).forEach((place) => { place.textContent = all("input[name=route]:checked", form).length; });
  }
  /* how many of the requests that are measured now would go elsewhere: of one rule for all requests, where clusters share alike */
  function movedWords(form, words) {
    const seen = one("[data-rates]", form), editors = all("[data-split]", form);
    if (!seen || editors.length !== 1) return "";
    const share = rowsOf(editors[0]).reduce((sum, row) => sum + Math.max(0, valueOf(row) - liveOf(row)), 0) / FULL;
    const rates = JSON.parse(seen.dataset.rates), chosen = all("input[name=route]:checked", form);
    const known = chosen.filter((box) => "alike" in box.dataset && box.dataset.cluster in rates);
    if (!share || !known.length) return "";
    const moved = share * known.reduce((sum, box) => sum + rates[box.dataset.cluster], 0);
    const text = moved.toLocaleString(document.documentElement.lang || "en", { maximumFractionDigits: moved < 10 ? 2 : 0 });
    return (known.length < chosen.length ? words.some : words.all).replace("%n", text).replace("%k", known.length).replace("%c", chosen.length);
  }
  function startEditors(root = document) { all("[data-split]", root).forEach(paint); }

  /* one listener per kind of event, for all of the above */
  /* a graph: its links pick, step in time and choose a level; the part is fetched, so that place and focus stay */
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#graph a[href^='?']");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    htmx.ajax("GET", location.pathname + link.getAttribute("href"), { source: link, target: "#graph", swap: "outerMorph" })
      .then(() => { const head = one("#h-focus"); if (head && link.closest(".graph, .tw")) say(head.textContent.trim()); });
  });
  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest?.(selector);
    let found;
    if ((found = hit("[data-dialog]"))) { event.preventDefault(); openDialog(found); }
    else if ((found = hit("[data-close]"))) { const dialog = found.closest("dialog"); if (dialog.open) { event.preventDefault(); dialog.close(); } }
    else if (hit("[data-theme-next]")) nextTheme();
    else if ((found = hit("[data-menu]"))) { event.preventDefault(); toggleMenu(found); }
    else if ((found = hit("[data-toast-close]"))) found.closest("[data-toast]").remove();
    else if ((found = hit("[data-copy]"))) copy(found);
    else if ((found = hit("[data-again]"))) askAgain(found);
    else if ((found = hit("[data-split] button"))) pressInEditor(found);
  });
  function pressInEditor(button) {
    const editor = button.closest("[data-split]"), row = button.closest(".bk");
    if (button.dataset.step) { setShare(editor, row, valueOf(row) + Number(button.dataset.step)); choose(row); }
    else if (button.dataset.preset) setShare(editor, targetOf(editor), Number(button.dataset.preset));
    else if ("even" in button.dataset) setEven(editor);
    else if ("reset" in button.dataset) resetEditor(editor);
    else if (button.matches(".lock")) { row.dataset.bp = valueOf(row); button.setAttribute("aria-pressed", !isLocked(row)); fieldOf(row).readOnly = isLocked(row); paint(editor); }
  }
  document.addEventListener("input", (event) => {
    const range = event.target.closest?.("[data-split] input[type=range]");
    if (!range) return;
    const row = range.closest(".bk");
    setShare(row.closest("[data-split]"), row, Math.round(Number(range.value) / 100) * 100);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-keys-on]")) return keep("keys", event.target.checked ? "on" : "off");
    if (event.target.matches?.("input[name=route]")) return sayMoves(event.target.form);
    const field = event.target.closest?.("[data-split] .stp input");
    if (!field) return undefined;
    const row = field.closest(".bk"), value = parsed(field.value);
    if (Number.isNaN(value)) return field.setAttribute("aria-invalid", "true");
    return setShare(row.closest("[data-split]"), row, value);
  });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("[data-split] .bk");
    if (row && event.target.matches("input")) choose(row);
  });
  const NUDGES = { ArrowRight: 100, ArrowUp: 100, ArrowLeft: -100, ArrowDown: -100, PageUp: 1000, PageDown: -1000 };
  function nudge(event) {
    const input = event.target.closest?.("[data-split] input");
    if (!input || event.altKey || event.ctrlKey || event.metaKey) return false;
    const row = input.closest(".bk"), editor = row.closest("[data-split]"), isText = input.type === "text";
    if (event.key === "l" && !isText) { one(".lock", row).click(); return true; }
    let step = NUDGES[event.key];
    if (!step || (isText && /Left|Right/.test(event.key))) return false;
    if (event.shiftKey) step /= 100;
    setShare(editor, row, valueOf(row) + step);
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }

  /* arrows in the split editor; the other keys are frame.js's */
  document.addEventListener("keydown", (event) => { if (nudge(event)) event.preventDefault(); });

  window.meshui = { one, all, words, say, keep, kept, openDialog, nextTheme };

  /* htmx: where the focus goes, what is said, what failed. A swap moves the focus only where it took the focused thing away */
  let focused = "", hadFocus = false;
  document.addEventListener("htmx:before:swap", () => { focused = document.activeElement?.id ?? ""; hadFocus = document.activeElement !== document.body; });
  document.addEventListener("htmx:after:swap", (event) => {
    startEditors();
    all("[data-toast]").forEach(watchToast);
    const asked = one("[data-focus]:not([data-focused])");
    if (asked) { asked.dataset.focused = "yes"; asked.focus(); return; }
    if (document.activeElement && document.activeElement !== document.body) return;
    if (!hadFocus) return;
    const same = focused && document.getElementById(focused);
    const target = event.detail?.ctx?.target;
    const head = target?.isConnected ? one("h1, h2, [tabindex='-1']", target) : null;
    if (same) same.focus();
    else if (head) { head.setAttribute("tabindex", "-1"); head.focus(); }
  });
  document.addEventListener("htmx:error", (event) => { if (!event.detail?.ctx?.live) tellFailed(event.detail?.ctx, words().sayLost); });
  document.addEventListener("htmx:response:error", (event) => { if (!event.detail?.ctx?.live && event.detail?.ctx?.response?.status >= 500) tellFailed(event.detail.ctx, words().sayFailed); });
  /* a late part that failed says so where it would stand, and can be asked for again; the rest of the page is as it was */
  function tellFailed(ctx, text) {
    say(text, "failed");
    const part = ctx?.sourceElement;
    if (part?.getAttribute?.("aria-busy") !== "true") return;
    const told = document.createElement("div"), line = document.createElement("p"), again = document.createElement("button");
    told.className = "note crit";
    line.textContent = text;
    again.type = "button";
    again.className = "btn sm";
    again.dataset.again = "yes";
    again.textContent = words().sayAgain;
    told.append(line, again);
    part.removeAttribute("aria-busy");
    part.prepend(told);
  }
  function askAgain(button) {
    const part = button.closest("[hx-get]");
    part.setAttribute("aria-busy", "true");
    button.parentElement.remove();
    window.htmx.ajax("GET", part.getAttribute("hx-get"), { source: part, target: part, swap: part.getAttribute("hx-swap") });
  }

  document.addEventListener("DOMContentLoaded", () => {
    startEditors();
    all("[data-toast]").forEach(watchToast);
    one("[data-focus]")?.focus();
    const switchOfKeys = one("[data-keys-on]");
    if (switchOfKeys) switchOfKeys.checked = kept("keys") !== "off";
  });
})();
