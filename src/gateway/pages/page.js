"use strict";
(() => {
  const page = document.body.dataset;
  const leave = page.leave.split(" ");
  const began = performance.now();
  const element = (id) => document.getElementById(id);
  let isLeaving = false;
  let isPolling = false;
  let wasHeard = false;
  let idle = 0;
  let events = null;

  // What was sent with a form is not sent again: the visitor is told when it can be.
  const tell = (told) => {
    const isReady = told.state === "ready";
    for (const id of ["bar", "timer", "slow"]) element(id)?.remove();
    document.title = isReady ? page.ready : page.failed;
    element("title").textContent = document.title;
    element("text").textContent = isReady ? page.again : told.message;
  };

  const go = (told) => {
    if (isLeaving) return;
    isLeaving = true;
    if (events) events.close();
    if (page.lost === undefined) window.location.reload();
    else tell(told);
  };

  // A page that is told at once to go does not: where a process ends as soon as it is ready this would never rest.
  const goSoon = (told) => {
    if (performance.now() - began > 1000) go(told);
    else setTimeout(go, 700, told);
  };

  const see = (told) => {
    wasHeard = true;
    clearTimeout(idle);
    if (!leave.includes(told.state)) return;
    // Between two processes there is none for a moment.
    if (told.state === "idle") idle = setTimeout(go, 3000, told);
    else goSoon(told);
  };

  const poll = async () => {
    if (isLeaving) return;
    try {
      const answer = await fetch(page.state, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.ok) see(await answer.json());
    } catch {
      // The network comes back or the visitor leaves.
    }
    setTimeout(poll, 2000 + Math.random() * 1000);
  };

  const startPolling = () => {
    if (isPolling || isLeaving) return;
    isPolling = true;
    poll();
  };

  const listen = () => {
    if (!window.EventSource) {
      startPolling();
      return;
    }
    events = new EventSource(page.state);
    events.addEventListener("state", (event) => see(JSON.parse(event.data)));
    events.addEventListener("error", () => {
      if (events.readyState === EventSource.CLOSED) startPolling();
    });
    // Something on the way may hold a stream back.
    setTimeout(() => {
      if (!wasHeard) startPolling();
    }, 8000);
  };

  const time = element("time");
  const slow = element("slow");
  if (time) {
    const before = Number(page.seconds) || 0;
    setInterval(() => {
      const seconds = before + Math.floor((performance.now() - began) / 1000);
      const minutes = Math.floor(seconds / 60);
      time.textContent = minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
      if (slow && seconds >= 30) slow.hidden = false;
    }, 1000);
  }

  // Shown again by the back button, it may be out of date.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted && page.lost === undefined) window.location.reload();
  });
  listen();
})();
