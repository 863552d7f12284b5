// Warns before the session ends for want of use; one press goes on, and what was typed stays. Then the page is emptied.
(function () {
  "use strict";
  const box = document.getElementById("stay");
  if (!box || !box.showModal || !window.fetch) { return; }
  const form = box.querySelector("form"), rest = box.dataset.rest * 1000, warn = box.dataset.warn * 1000;
  let since = Date.now(), timer = 0, ended = false;
  function look() {
    if (ended) { return; }
    clearTimeout(timer);
    const left = since + rest - Date.now();
    if (left <= 0) { over(); return; }
    if (left <= warn && !box.open) { box.showModal(); }
    timer = setTimeout(look, (left > warn ? left - warn : left) + 20);
  }
  // Nobody was there: a screen that others pass by shows no record any more.
  function over() {
    ended = true;
    if (box.open) { box.close(); }
    const words = document.createElement("p"), way = document.createElement("a");
    words.textContent = box.dataset.over + " ";
    way.href = location.pathname;  // its gate leads to the sign-in that fits, and back here
    way.textContent = box.dataset.again;
    words.append(way);
    document.getElementById("main").replaceChildren(words);
  }
  form.addEventListener("submit", async function (event) {
    event.preventDefault();
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
      if (!answer.ok) { over(); return; }
      since = Date.now();
      box.close();
      look();
    } catch { /* offline: the question stays, to be answered again */ }
  });
  box.addEventListener("cancel", (event) => { event.preventDefault(); form.requestSubmit(); });
  // A device that slept comes back later than its timers think.
  document.addEventListener("visibilitychange", look);
  look();
})();
