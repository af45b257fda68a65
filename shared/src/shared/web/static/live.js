// A page that waits asks its own service again and again and writes the answers into itself.
// [data-poll] holds the address and [data-poll-seconds] the pause; [data-text] takes a sentence
// of the answer, [data-when] names the states in which a part is shown.
(() => {
  const live = document.querySelector("[data-poll]");
  if (!live) return;
  const first = Number(live.dataset.pollSeconds) * 1000;
  const slowest = Math.max(first, 20000);
  let pause = first;
  let timer = 0;
  let asking = false;
  let done = false;

  const show = (answer) => {
    live.dataset.state = answer.state;
    for (const place of live.querySelectorAll("[data-text]")) {
      const said = answer.texts[place.dataset.text] ?? "";
      if (place.textContent !== said) place.textContent = said;
      place.hidden = said === "";
    }
    for (const part of live.querySelectorAll("[data-when]")) {
      part.hidden = !part.dataset.when.split(" ").includes(answer.state);
    }
    if (answer.title) document.title = answer.title;
  };

  const ask = async () => {
    if (asking) return;
    asking = true;
    try {
      const response = await fetch(live.dataset.poll, {
        headers: { Accept: "application/json" },
        cache: "no-store",
        signal: AbortSignal.timeout(15000),
      });
      // Signed out, or gone: the page itself says what to do now.
      if (response.status === 401 || response.status === 404) return location.reload();
      if (response.ok) {
        const answer = await response.json();
        if (answer.location) return location.assign(answer.location);
        show(answer);
        done = answer.final;
      }
    } catch {
      // No connection for a moment; the next question will be answered.
    }
    asking = false;
    if (!done) timer = setTimeout(ask, (pause = Math.min(pause * 1.3, slowest)));
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden || done) return;
    pause = first;
    ask();
  });
  timer = setTimeout(ask, pause);
})();
