// Keeps the list of a status page current: asks again with longer and longer pauses, and stops when all is settled.
(function () {
  "use strict";
  const place = document.getElementById("current");
  // For those who hear the page: who sees it has the list itself.
  const said = document.getElementById("said");
  if (!place || !place.dataset.current) { return; }
  let wait = 1500;
  // What a system says in one line, and that nothing is left to wait for.
  function lines() {
    const all = place.querySelectorAll(".stores h3, [data-settled]");
    return Array.from(all, (one) => one.textContent.replace(/\s+/g, " ").trim());
  }
  async function look() {
    try {
      const answer = await fetch(place.dataset.current, { credentials: "same-origin", cache: "no-store" });
      if (!answer.ok || answer.redirected) { return; }
      const words = await answer.text();
      if (words !== place.dataset.seen) {
        // Compared with what stands here, so that what came between the page and the first look is said too.
        const before = lines();
        place.innerHTML = words;
        const news = lines().filter((line) => !before.includes(line));
        if (news.length && said) { said.textContent = news.join(". "); }
        place.dataset.seen = words;
      }
      if (place.querySelector("[data-settled]")) { return; }
    } catch { /* offline: look again later */ }
    wait = Math.min(wait * 1.3, 20000);
    setTimeout(look, wait);
  }
  setTimeout(look, wait);
})();
