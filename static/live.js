/* Live data: one stream of server-sent events a tab, the pill that says how it stands, and the fragments that follow.
   An element with data-topic="change-12" is fetched anew (hx-get, else the page's own URL) when its topic moved; all listeners
   are delegated. Own fetch instead of EventSource or hx-sse: it sees status codes and heartbeats, tries a first connection again,
   says where it stands in each topic (Last-Event-ID), and can be one stream for all tabs. Without script pages are complete. */
(() => {
  "use strict";
  const STALE = 5000, POLL = 10000, TICK = 500, GAP = 1000, GAP_OF_LISTS = 2000, GAP_OF_AGES = 10000, MOST_WAIT = 5000, ANNOUNCE = 4000, FORGOTTEN = 12000, WATCH = 40000, AGE = 5000, DAY = 86400;
  const NAME = "meshui-live";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const now = () => performance.now();
  const pause = (ms, signal) => new Promise((done) => { const timer = setTimeout(done, ms); signal?.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true }); });
  const pill = () => document.getElementById("live");
  const fragments = () => all("[data-topic]");
  const topicsOf = (element) => element.dataset.topic.split(" ").filter(Boolean);
  const topicsHere = () => [...new Set(fragments().flatMap(topicsOf))].sort();

  let isPaused = sessionStorage.getItem(NAME) === "paused";
  let isAway = false, isConnected = false, hasBeenLive = false, isPolled = false, isBegun = false;
  let freshAt = now(), wanted = "";
  /* when the server began to draw this page, by its clock; unknown: the first answer of the stream is to read anew */
  const drawn = () => performance.getEntriesByType("navigation")[0]?.serverTiming?.find((entry) => entry.name === "drawn")?.description || "0";

  /* --- ages: “28 s ago” goes on with time, by the server's clock as it was when it drew the page; words as wording.relative has them --- */
  const openedAt = Date.now(), drawnAt = Number(drawn()) || openedAt;
  function spanOf(seconds) {
    const [size, unit] = seconds < 60 ? [1, "S"] : seconds < 3600 ? [60, "Min"] : [3600, "H"];
    return `${Math.floor(seconds / size)}\u202f${document.body.dataset[`sayUnit${unit}`]}`;
  }
  function age(time) {
    const seconds = (drawnAt + Date.now() - openedAt - Date.parse(time.dateTime)) / 1000, words = document.body.dataset;
    if (!(Math.abs(seconds) < DAY)) return;
    const text = seconds < 0 ? words.sayAhead.replace("_", spanOf(-seconds)) : seconds < 5 ? words.sayNow : words.sayAgo.replace("_", spanOf(seconds));
    if (time.textContent !== text) time.textContent = text;
  }

  /* --- fragments: debounced, one request at a time each, again if something moved meanwhile --- */
  const states = new Map();
  const keyOf = (element) => element.getAttribute("hx-target") || (element.id ? `#${element.id}` : element);
  const targetOf = (element) => { const named = element.getAttribute("hx-target"); return named ? one(named) : element; };
  function refresh(element, gap = GAP) {
    const key = keyOf(element), state = states.get(key) ?? { at: -GAP_OF_AGES, due: Infinity, isBusy: false, isDirty: false, timer: 0 };
    states.set(key, state);
    if (state.isBusy) { state.isDirty = true; return; }
    const due = Math.max(now() + 30 + Math.random() * 120, state.at + gap);
    if (due >= state.due) return;
    clearTimeout(state.timer);
    state.due = due;
    state.timer = setTimeout(() => { state.due = Infinity; fetchAnew(key, element, state); }, due - now());
  }
  /* what is shown of each, so that the server need not say it again: of a part that something else was put into, nothing is known */
  const known = new Map();
  function note({ live, liveKey, liveUrl, target, response }) {
    for (const key of [...known.keys()]) {
      const shown = typeof key === "string" ? one(key) : key;
      if (!target?.isConnected || !shown || target.contains(shown)) known.delete(key);
    }
    const etag = response?.headers?.get("ETag");
    if (live && etag) known.set(liveKey, { url: liveUrl, etag });
  }
  async function fetchAnew(key, former, state) {
    const element = former.isConnected ? former : fragments().find((other) => keyOf(other) === key);
    const target = element && targetOf(element);
    if (!target) return;
    const before = spoken(target), place = location.href;
    state.isBusy = true;
    state.isDirty = false;
    state.at = now();
    try {
      const path = element.getAttribute("hx-get") || location.pathname, url = path.includes("?") ? path : path + location.search;
      const shown = known.get(key), headers = { "HX-Live": "true", ...(shown?.url === url && { "If-None-Match": shown.etag }) };
      await htmx.ajax("GET", url,
        { source: element, target, swap: element.getAttribute("hx-swap") || "outerMorph", headers, live: place, liveKey: key, liveUrl: url });
    } catch { /* what failed is in the pill */ }
    state.isBusy = false;
    const shown = target.id ? document.getElementById(target.id) : target;
    const after = shown ? spoken(shown) : "";
    if (after && before !== after) one("#said").textContent = after;
    if (state.isDirty) { const again = fragments().find((other) => keyOf(other) === key); if (again) refresh(again); }
  }
  /* what is said of a fragment: its heading and the words that data-topic-say selects, when they are other words than before */
  function spoken(target) {
    const from = target.dataset.topicSay ? target : one("[data-topic-say]", target);
    if (!from) return "";
    const words = all(from.dataset.topicSay, target).map((word) => word.textContent.trim().replace(/\s+/g, " "));
    return words.length ? `${one("h1, h2", target)?.textContent.trim().replace(/\s+/g, " ") ?? ""}: ${words.join(", ")}` : "";
  }
  const refreshTopics = (topics, gap) => fragments().filter((element) => topicsOf(element).some((topic) => topics.includes(topic))).forEach((element) => refresh(element, gap));
  const refreshAll = () => fragments().forEach((element) => refresh(element));
  document.addEventListener("htmx:before:swap", (event) => {
    const ctx = event.detail?.ctx;
    if (ctx?.live && ctx.live !== location.href) event.preventDefault(); // the person has filtered since: that answer is the newer one
  });
  document.addEventListener("htmx:after:request", (event) => { const ctx = event.detail?.ctx; if (ctx?.live) isPolled = (ctx.response?.status ?? 599) < 500; });
  document.addEventListener("htmx:error", (event) => { if (event.detail?.ctx?.live) isPolled = false; });

  /* --- what is heard: from the stream, or from the tab that holds it --- */
  const at = new Map();
  function take(name, data, token) {
    isConnected = true;
    if (name === "hello") {
      Object.entries(data.at).forEach(([topic, position]) => at.set(topic, position));
      if (isAway && !data.away) refreshAll();
      isAway = data.away;
      if (hasBeenLive && !data.isPlanned) refreshAll(); // numbers that moved while nobody listened are not kept for anybody
      hasBeenLive = true;
    } else if (name === "state" || name === "progress") {
      if (token) at.set(data.topic, token.slice(data.topic.length + 1));
      const isList = !data.topic.includes("-");
      refreshTopics([data.topic], isList ? (name === "state" ? GAP_OF_LISTS : GAP_OF_AGES) : GAP);
    } else if (name === "resync") {
      Object.entries(data.at).forEach(([topic, position]) => at.set(topic, position));
      isAway = data.away;
      refreshTopics(Object.keys(data.at));
    } else if (name === "stale" || name === "fresh") {
      isAway = name === "stale";
    }
    if (!isAway) freshAt = now();
    show();
  }

  /* --- the stream --- */
  async function read(topics, since, signal) {
    const ours = new AbortController(), stop = () => ours.abort();
    signal.addEventListener("abort", stop, { once: true });
    let byteAt = now();
    const watch = setInterval(() => { if (now() - byteAt > STALE) stop(); }, TICK); // a dead line says nothing, not even its end
    try {
      const answer = await fetch(`/live/${topics.join(",")}/`, { signal: ours.signal, cache: "no-store", headers: { "Last-Event-ID": since } });
      if (!answer.ok) return answer.status;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return 200;
        byteAt = now();
        text += value;
        const blocks = text.split("\n\n");
        text = blocks.pop();
        blocks.forEach(tell);
      }
    } finally {
      clearInterval(watch);
      stop();
      signal.removeEventListener("abort", stop);
    }
  }
  function tell(block) {
    const lines = Object.fromEntries(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
    const message = { name: lines.event ?? "beat", data: JSON.parse(lines.data ?? "{}"), token: lines.id ?? "" };
    if (message.name === "hello") { message.data.isPlanned = isPlanned; isPlanned = false; }
    take(message.name, message.data, message.token);
    channel?.postMessage({ type: "event", ...message });
  }
  /* `plan()` gives the topics and where each stands; it is asked anew for every connection */
  async function keepReading(plan, signal) {
    for (let tries = 0; !signal.aborted;) {
      const { topics, since } = plan();
      let status = 0;
      const began = now();
      try { status = topics.length ? await read(topics, since, signal) : 404; } catch { /* the line broke, or we hung up */ }
      if (signal.aborted) return;
      isConnected = isPlanned = false;
      show();
      if (status === 401) refreshAll(); // the fragment leads to the sign-in
      if (now() - began > STALE) tries = 0;
      tries += 1;
      const wait = status >= 400 ? MOST_WAIT : Math.min(MOST_WAIT, 250 * 2 ** tries);
      await pause(wait * (0.5 + Math.random() / 2), signal);
    }
  }
  const position = (topic, since) => `${topic}:${since}`;

  /* --- one stream for all tabs where the browser allows six connections alone (HTTP/1.1) --- */
  const isNarrow = !/^(h2|h3)/.test(performance.getEntriesByType("navigation")[0]?.nextHopProtocol ?? "");
  const canShare = isNarrow && navigator.locks && window.BroadcastChannel;
  const channel = canShare ? new BroadcastChannel(NAME) : null;
  const me = `${Math.random()}`.slice(2);
  const others = new Map();
  let running = null, restart = null, isLeading = false, isPlanned = false, restarting = 0;
  const announce = () => channel?.postMessage({ type: "want", id: me, topics: topicsHere(), drawn: drawn() });
  function replan() {
    clearTimeout(restarting);
    restarting = setTimeout(() => { isPlanned = isConnected; restart?.abort(); }, 60);
  }
  channel?.addEventListener("message", ({ data }) => {
    if (!running) return;
    if (data.type === "event") { if (!isLeading) take(data.name, data.data, data.token); }
    else if (data.type === "who") announce();
    else if (data.type === "bye") { others.delete(data.id); }
    else if (data.type === "want") {
      const known = others.get(data.id);
      others.set(data.id, { topics: data.topics, drawn: data.drawn, at: now() });
      if (!isLeading || (known && `${known.topics}` === `${data.topics}` && known.drawn === data.drawn)) return;
      data.topics.forEach((topic) => at.set(topic, `@${data.drawn}`)); // told again to all of them, lost to none
      replan();
    }
  });
  function union() {
    for (const [id, other] of others) if (now() - other.at > FORGOTTEN) others.delete(id);
    const topics = [...new Set([...topicsHere(), ...[...others.values()].flatMap((other) => other.topics)])].sort().slice(0, 60);
    return { topics, since: topics.map((topic) => position(topic, at.get(topic) ?? `@${drawn()}`)).join(" ") };
  }
  async function lead(signal) {
    isLeading = true;
    channel?.postMessage({ type: "who" });
    if (channel) await pause(100, signal);
    while (!signal.aborted) {
      restart = new AbortController();
      const stop = () => restart.abort();
      signal.addEventListener("abort", stop, { once: true });
      await keepReading(union, restart.signal);
      signal.removeEventListener("abort", stop);
    }
    isLeading = false;
  }
  function begin() {
    if (running || isPaused || document.visibilityState === "hidden" || !topicsHere().length) return;
    running = new AbortController();
    const { signal } = running;
    freshAt = now();
    if (!isBegun) isBegun = true;
    else refreshAll();
    wanted = `${topicsHere()}`;
    if (canShare) {
      announce();
      navigator.locks.request(NAME, { signal }, () => lead(signal)).catch(() => { /* hung up while waiting */ });
    } else if (!isNarrow) lead(signal);
    show();
  }
  function end() {
    if (!running) return;
    running.abort();
    running = null;
    isConnected = false;
    channel?.postMessage({ type: "bye", id: me });
  }

  /* --- the pill --- */
  function stand() {
    if (isPaused) return "paused";
    const age = now() - freshAt;
    if (age < STALE) return isConnected && !isAway ? "live" : "reconnecting";
    return isPolled ? "polling" : "stale";
  }
  function show() {
    const button = pill();
    if (!button) return;
    button.hidden = !fragments().length;
    const state = stand(), word = one("[data-live-word]", button);
    const text = button.dataset[`say${state[0].toUpperCase()}${state.slice(1)}`] + (state === "stale" ? ` ${Math.max(0, Math.round((now() - freshAt) / 1000))}\u202fs` : "");
    if (word.textContent !== text) word.textContent = text;
    if (button.dataset.state !== state) button.dataset.state = state;
    if (button.getAttribute("aria-pressed") !== `${isPaused}`) button.setAttribute("aria-pressed", isPaused);
  }
  let announcedAt = 0, watchedAt = now(), agedAt = now();
  const polledAt = new Map();
  function tick() {
    const state = stand();
    if (!isPaused && now() - agedAt > AGE) { agedAt = now(); all("time[data-ago]").forEach(age); } // WCAG 2.2.2: not where motion was stopped
    if (running && now() - watchedAt > WATCH) { watchedAt = now(); all("[data-watch]").forEach((form) => htmx.trigger(form, "watch")); } // still on a screen
    if (running && !isLeading && now() - announcedAt > ANNOUNCE) { announcedAt = now(); announce(); }
    if (state === "live" || state === "reconnecting") { isPolled = false; polledAt.clear(); }
    else if (running && (state === "stale" || state === "polling")) {
      fragments().forEach((element) => {
        const every = Math.max(1000, 1000 * Number(/\d+/.exec(element.dataset.topicEvery ?? "")?.[0] ?? POLL / 1000));
        const key = keyOf(element), since = polledAt.get(key) ?? freshAt;
        if (now() - since >= every) { polledAt.set(key, now()); refresh(element); }
      });
    }
    show();
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#live")) return;
    isPaused = !isPaused;
    if (isPaused) { sessionStorage.setItem(NAME, "paused"); end(); }
    else { sessionStorage.removeItem(NAME); begin(); }
    show();
  });
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") end(); else begin(); show(); });
  window.addEventListener("pagehide", end);
  window.addEventListener("pageshow", (event) => { if (event.persisted) begin(); });
  document.addEventListener("htmx:after:swap", (event) => {
    const ctx = event.detail?.ctx;
    if (ctx && ctx.response?.status !== 304) note(ctx);
    const topics = `${topicsHere()}`;
    if (!running) { begin(); return; }
    if (topics === wanted) return;
    wanted = topics;
    if (isLeading) replan(); else announce();
  });
  document.addEventListener("DOMContentLoaded", () => { begin(); show(); setInterval(tick, TICK); });
})();
