// Keeps #progress current while a record is brought in. Without this script "Check again" does the same.
(function () {
  var box = document.getElementById("progress"), said = document.getElementById("said");
  var flash = document.getElementById("status"), left = 300;
  if (!box || !box.dataset.from || !window.fetch) { return; }
  function look() {
    fetch(box.dataset.from, { credentials: "same-origin", redirect: "error" }).then(function (answer) {
      if (!answer.ok) { throw new Error("answer"); }
      return answer.text();
    }).then(function (html) {
      var part = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
      if (!part || !part.dataset.say) { return; }
      box.replaceChildren(part);
      if (said && part.dataset.say !== said.textContent) { said.textContent = part.dataset.say; }
      // "We are bringing in your record" is no longer so.
      if (part.dataset.waiting === "1") { again(); } else if (flash) { flash.replaceChildren(); }
    }).catch(again);
  }
  function again() {
    if (left-- > 0) { window.setTimeout(look, 2000); }
  }
  again();
}());
