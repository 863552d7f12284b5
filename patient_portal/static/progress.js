// Keeps #progress current while a record is brought in. Without this script "Check again" does the same.
(function () {
  var box = document.getElementById("progress"), status = document.getElementById("status");
  var left = 300, said = "";
  if (!box || !box.dataset.from || !window.fetch) { return; }
  function look() {
    fetch(box.dataset.from, { credentials: "same-origin", redirect: "error" }).then(function (answer) {
      if (!answer.ok) { throw new Error("answer"); }
      return answer.text();
    }).then(function (html) {
      var part = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
      if (!part || !part.dataset.say) { return; }
      box.replaceChildren(part);
      if (part.dataset.say !== said && status) { said = status.textContent = part.dataset.say; }
      if (part.dataset.waiting === "1") { again(); }
    }).catch(again);
  }
  function again() {
    if (left-- > 0) { window.setTimeout(look, 2000); }
  }
  again();
}());
