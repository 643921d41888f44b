/* Asks every second what the callers counted, and shows what the last five seconds brought: the share of each version among
   those of its application, and how much of it failed. Without script the page shows the sums since the start. */
(() => {
  "use strict";
  const EVERY = 1000, WINDOW = 5000;
  const rows = [...document.querySelectorAll("tr[data-app]")];
  const seen = [];
  const sum = (answers, isWanted = () => true) => Object.entries(answers).reduce((total, [status, n]) => total + (isWanted(status) ? n : 0), 0);
  const isBad = (status) => !status.startsWith("2");
  const of = (state, row) => state[row.dataset.cluster]?.[row.dataset.workload]?.answers ?? {};
  const cell = (row, name) => row.querySelector(`[data-${name}]`);
  const say = (row, name, text) => { const found = cell(row, name); if (found.textContent !== text) found.textContent = text; };
  const percent = (part, whole) => (whole ? `${(100 * part / whole).toFixed(0)} %` : "–");

  function show() {
    const [first, last] = [seen[0], seen.at(-1)], seconds = (last.at - first.at) / 1000;
    const moved = rows.map((row) => {
      const [then, now] = [of(first.state, row), of(last.state, row)];
      return { row, app: `${row.dataset.cluster} ${row.dataset.app}`, all: sum(now) - sum(then), bad: sum(now, isBad) - sum(then, isBad), total: sum(now) };
    });
    const whole = new Map();
    moved.forEach(({ app, all }) => whole.set(app, (whole.get(app) ?? 0) + all));
    moved.forEach(({ row, app, all, bad, total }) => {
      say(row, "total", `${total}`);
      if (!(seconds > 0)) return;
      say(row, "rate", (all / seconds).toFixed(1));
      say(row, "failed", percent(bad, all));
      say(row, "share", percent(all, whole.get(app)));
      cell(row, "meter").value = whole.get(app) ? all / whole.get(app) : 0;
    });
  }

  async function look() {
    const note = document.getElementById("note");
    try {
      const answer = await fetch("state", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      seen.push({ at: performance.now(), state: await answer.json() });
      while (seen.length > 2 && seen.at(-1).at - seen[0].at > WINDOW) seen.shift();
      note.textContent = "Shares, failures and answers a second are of the last five seconds, as the callers counted them.";
      show();
    } catch {
      seen.length = 0; // counts begin anew when the demo does
      note.textContent = "The demo does not answer: it begins anew, or has ended.";
    }
    setTimeout(look, EVERY);
  }
  look();
})();
