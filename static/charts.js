/* Plots of [data-plot]: uPlot draws the JSON that stands beside each. Loaded only by pages that have plots; without it
   their lines are drawn by the server. A canvas does not follow CSS: it is made anew when theme or fonts change. */
(() => {
  "use strict";
  const HEIGHT = 112;
  const plots = new Map();
  const drawnOf = new WeakMap(); /* element → the JSON that it was drawn from */
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = plots.get(target);
      if (plot && target.clientWidth && plot.width !== target.clientWidth) plot.setSize({ width: target.clientWidth, height: HEIGHT });
    }
  });

  /* A custom property with light-dark() is no colour for a canvas: what a probe computes from it is one. */
  function colours(names) {
    const probe = document.createElement("i");
    document.body.append(probe);
    const found = Object.fromEntries(names.map((name) => { probe.style.color = `var(${name})`; return [name, getComputedStyle(probe).color]; }));
    probe.remove();
    return found;
  }
  const pale = (paint, share) => `color-mix(in srgb, ${paint} ${share}%, transparent)`;

  function whenWords(words) {
    return (seconds) => {
      if (seconds < 0.5) return words.now;
      if (seconds < 60) return `\u2212${Math.round(seconds)}\u202f${words.s}`;
      if (seconds < 5400) return `\u2212${Math.round(seconds / 60)}\u202f${words.min}`;
      return `\u2212${Math.round(seconds / 3600)}\u202f${words.h}`;
    };
  }

  function valueWords(unit) {
    if (unit === "success") return (value, all) => value.toFixed(Math.abs(all.at(-1) - all[0]) < 1 ? 2 : 1);
    return (value) => (value >= 10000 ? `${+(value / 1000).toFixed(1)}k` : String(+value.toPrecision(3)));
  }

  /* Requests and latencies begin at 0; a success rate never does, or nothing could be seen of it. */
  function range(unit, limit) {
    return (plot, low, high) => {
      const least = Math.min(low ?? 0, limit ?? low ?? 0), most = Math.max(high ?? 1, limit ?? 0);
      if (unit !== "success") return [0, (most || 1) * 1.12];
      const room = Math.max((100 - least) * 0.15, 0.02);
      return [Math.max(0, least - room), 100];
    };
  }

  function hatch(plot, bands, paint) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = paint;
    ctx.lineWidth = devicePixelRatio;
    for (const [from, to] of bands) {
      const left = Math.max(bbox.left, plot.valToPos(from, "x", true)), right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
      if (right <= left) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, right - left, bbox.height);
      ctx.clip();
      ctx.beginPath();
      for (let x = left - bbox.height; x < right; x += 7 * devicePixelRatio) { ctx.moveTo(x, bbox.top + bbox.height); ctx.lineTo(x + bbox.height, bbox.top); }
      ctx.stroke();
      ctx.restore();
    }
    ctx.restore();
  }

  function lines(plot, data, paints) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    const line = (x1, y1, x2, y2, paint) => { ctx.strokeStyle = paint; ctx.beginPath(); ctx.moveTo(x1, y1); ctx.lineTo(x2, y2); ctx.stroke(); };
    if (data.limit !== null) {
      const y = plot.valToPos(data.limit, "y", true);
      line(bbox.left, y, bbox.left + bbox.width, y, paints["--warn"]);
    }
    ctx.fillStyle = paints["--text-2"];
    ctx.font = `${11 * devicePixelRatio}px Inter, sans-serif`;
    ctx.setLineDash([]);
    for (const [at, text] of data.marks) {
      const x = plot.valToPos(at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      line(x, bbox.top, x, bbox.top + bbox.height, paints["--control"]);
      ctx.textAlign = x > bbox.left + bbox.width * 0.7 ? "right" : "left";
      ctx.fillText(text, x + (ctx.textAlign === "right" ? -4 : 4) * devicePixelRatio, bbox.top - 4 * devicePixelRatio);
    }
    ctx.restore();
  }

  function options(element, data) {
    const series = data.y.map((_, number) => `--c${Math.min(number + 1, 6)}`);
    const paints = colours([...series, "--line", "--line-2", "--text-2", "--text-3", "--warn", "--control"]);
    const start = data.x[0] ?? data.now - 900, ago = whenWords(data.words), said = valueWords(data.unit);
    const font = "11px Inter, sans-serif";
    const splits = () => [0, 1, 2, 3].map((part) => start + ((data.now - start) * part) / 3);
    return {
      width: element.clientWidth, height: HEIGHT, padding: [data.marks.length ? 16 : 6, 14, 0, 0], legend: { show: false },
      cursor: { sync: { key: "signals" }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), data.zone),
      scales: { x: { time: true, range: [start, data.now] }, y: { range: range(data.unit, data.limit) } },
      axes: [
        { stroke: paints["--text-3"], font, size: 22, gap: 4, grid: { show: false }, ticks: { show: false }, splits, values: (plot, at) => at.map((each, n) => (n === 0 ? "" : ago(data.now - each))) },
        { stroke: paints["--text-3"], font, size: 44, gap: 4, space: 30, grid: { stroke: paints["--line"], width: 1 }, ticks: { show: false }, values: (plot, at) => at.map((each) => said(each, at)) },
      ],
      series: [{}, ...series.map((name) => ({
        stroke: paints[name], width: 1.6, spanGaps: false, points: { show: false },
        fill: data.unit === "rate" && series.length < 3 ? pale(paints[name], 14) : undefined,
      }))],
      hooks: { drawClear: [(plot) => hatch(plot, data.bands, paints["--line-2"])], draw: [(plot) => lines(plot, data, paints)] },
    };
  }

  function draw(element) {
    const source = document.getElementById(element.dataset.plot);
    if (!source || !element.clientWidth) return;
    const data = JSON.parse(source.textContent);
    plots.get(element)?.destroy();
    element.replaceChildren();
    const plot = new uPlot(options(element, data), [data.x, ...data.y], element);
    plots.set(element, plot);
    drawnOf.set(element, source.textContent);
    resized.observe(element);
  }

  const isAsDrawn = (element) => element.querySelector(".uplot") && drawnOf.get(element) === document.getElementById(element.dataset.plot)?.textContent;

  /* All of them anew, or those that a swap brought or changed; what it took away is let go. */
  function drawAll(anew) {
    for (const [element, plot] of plots) if (!element.isConnected) { resized.unobserve(element); plot.destroy(); plots.delete(element); }
    for (const element of document.querySelectorAll("[data-plot]")) if (anew || !isAsDrawn(element)) draw(element);
  }

  const anew = () => drawAll(true);
  document.addEventListener("DOMContentLoaded", () => { drawAll(false); document.fonts?.ready.then(anew); });
  document.addEventListener("htmx:after:swap", () => drawAll(false));
  new MutationObserver(anew).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
  window.addEventListener("pageshow", (event) => { if (event.persisted) anew(); });
})();
