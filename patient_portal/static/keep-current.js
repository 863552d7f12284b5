// Keeps the list of a status page current: asks again with longer and longer pauses, and stops when all is settled.
(function () {
  "use strict";
  const place = document.getElementById("current");
  const status = document.getElementById("status");
  if (!place || !place.dataset.current) { return; }
  let wait = 1500;
  async function look() {
    try {
      const answer = await fetch(place.dataset.current, { credentials: "same-origin", cache: "no-store" });
      if (!answer.ok || answer.redirected) { return; }
      const words = await answer.text();
      if (words !== place.dataset.seen) {
        const before = place.textContent;
        place.innerHTML = words;
        if (place.dataset.seen !== undefined && before !== place.textContent && status) {
          const done = place.querySelectorAll(".stores li.done h3");
          status.textContent = done.length ? done[done.length - 1].textContent : "";
        }
        place.dataset.seen = words;
      }
      if (place.querySelector("[data-settled]")) { return; }
    } catch { /* offline: look again later */ }
    wait = Math.min(wait * 1.3, 20000);
    setTimeout(look, wait);
  }
  setTimeout(look, wait);
})();
