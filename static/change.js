/* Keys of the inbox, of one change request and of its log. All of it is delegated from document: a swap or Back leaves nothing dead.
   No key decides: a and r bring the focus to the form, which a person sends. Whoever switched single keys off has none of these. */
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const isOff = () => document.cookie.split("; ").includes("keys=off");
  const isSeen = (element) => element && element.getClientRects().length > 0;

  /* the decision: approve puts the focus on its button, reject on the comment that it needs */
  function openDecision(verb) {
    const form = one("#decision form:has(#comment)");
    if (!form) { one("#h-decision")?.focus(); one("#decision")?.scrollIntoView({ block: "nearest" }); return; }
    const goal = verb === "reject" ? one("#comment", form) : one("button.ok:not([disabled])", form) ?? one("#comment", form);
    form.scrollIntoView({ block: "nearest" });
    goal.focus();
  }

  /* rows of the inbox: the focus walks over their links */
  const rows = () => all("[data-row]").filter(isSeen);
  const rowNow = () => document.activeElement?.closest?.("[data-row]");
  function walk(step) {
    const found = rows();
    const at = found.indexOf(rowNow());
    const next = found[at < 0 ? (step > 0 ? 0 : found.length - 1) : Math.max(0, Math.min(found.length - 1, at + step))];
    one("[data-open]", next ?? document)?.focus();
  }
  function decideOnRow(verb) {
    const link = one("[data-open]", rowNow() ?? rows()[0] ?? document.createElement("i"));
    if (link) location.assign(`${link.getAttribute("href")}?decide=${verb}`);
  }

  /* the diff */
  function otherTarget(step) {
    const tabs = all("[data-targets] a");
    const at = tabs.findIndex((tab) => tab.hasAttribute("aria-current"));
    const next = tabs[at + step];
    if (next) next.click();
  }
  const folds = () => all("#diff .fold input");
  function unfold() {
    const opens = folds().some((fold) => !fold.checked);
    folds().forEach((fold) => { fold.checked = opens; });
  }
  function otherMode() {
    const now = one("#diff [data-diff][aria-current]")?.dataset.diff;
    const next = one(`#diff [data-diff=${now === "unified" ? "split" : "unified"}]`);
    if (isSeen(next)) next.click();
  }

  const KEYS = {
    a: () => (one("#decision") ? openDecision("approve") : decideOnRow("approve")),
    r: () => (one("#decision") ? openDecision("reject") : decideOnRow("reject")),
    j: () => walk(1),
    k: () => walk(-1),
    n: () => otherTarget(1),
    p: () => otherTarget(-1),
    v: () => one("#diff [data-viewed]")?.click(),
    e: unfold,
    u: otherMode,
  };
  let goneAt = -Infinity;
  document.addEventListener("keydown", (event) => {
    const isWriting = event.target.closest?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
    if (isWriting || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isOff() || one("dialog[open]")) return;
    if (event.key === "g") { goneAt = event.timeStamp; return; }
    const goes = event.timeStamp - goneAt < 1200;
    goneAt = -Infinity;
    const act = goes ? undefined : KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("click", (event) => { if (event.target.closest?.("[data-unfold]")) unfold(); });

  /* the log: stay at its end for as long as the reader wants it */
  const follow = () => { const log = one("#log-lines"); if (log && one("[data-follow]")?.checked) log.scrollTop = log.scrollHeight; };
  document.addEventListener("htmx:after:swap", follow);
  document.addEventListener("change", (event) => { if (event.target.matches?.("[data-follow]")) follow(); });
  document.addEventListener("DOMContentLoaded", () => {
    follow();
    const verb = new URLSearchParams(location.search).get("decide");
    if (verb) openDecision(verb);
  });
})();
