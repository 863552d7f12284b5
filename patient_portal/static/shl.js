// Opens a SMART Health Link of this service in the browser of whoever was given it. The key stands after the # of the
// address and never leaves the browser: what comes is decrypted here (JWE, dir, A256GCM; SHL-03).
"use strict";
(() => {
  const part = document.getElementById("viewer"), form = part.querySelector("form"), said = document.getElementById("how-it-went");
  const opened = document.getElementById("opened"), words = part.dataset;
  const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), one => one.charCodeAt(0));
  class Told extends Error {}
  const KEPT = new Set(["TABLE", "THEAD", "TBODY", "TR", "TH", "TD", "CAPTION", "UL", "OL", "LI", "P", "B", "STRONG", "DL", "DT", "DD", "BR"]);
  const link = () => {
    try {
      return JSON.parse(new TextDecoder().decode(bytes(location.hash.split("shlink:/")[1])));
    } catch {
      return null;
    }
  };
  const ours = found => found && typeof found.url === "string" && found.url.startsWith(`${location.origin}/shl/`);

  async function fetched(shl, recipient, passcode) {
    if ((shl.flag || "").includes("U")) {
      return checked(await fetch(`${shl.url}?recipient=${encodeURIComponent(recipient)}`)).then(answer => answer.text());
    }
    const body = JSON.stringify({recipient, ...(passcode && {passcode}), embeddedLengthMax: 3000000});
    const asked = {method: "POST", headers: {"Content-Type": "application/json"}, body};
    const [file] = (await (await checked(await fetch(shl.url, asked))).json()).files;
    return file.embedded || checked(await fetch(file.location)).then(answer => answer.text());
  }

  async function checked(answer) {
    if (answer.ok) return answer;
    if (answer.status === 401) {
      const left = (await answer.json()).remainingAttempts;
      throw new Told(words.wrong.replace("{}", left));
    }
    throw new Told(answer.status === 404 ? words.over : words.failed);
  }

  async function decrypted(token, key) {
    const [head, , iv, body, tag] = token.split("."), sealed = new Uint8Array([...bytes(body), ...bytes(tag)]);
    const made = await crypto.subtle.importKey("raw", bytes(key), "AES-GCM", false, ["decrypt"]);
    const how = {name: "AES-GCM", iv: bytes(iv), additionalData: new TextEncoder().encode(head)};
    const plain = new Blob([await crypto.subtle.decrypt(how, made, sealed)]);
    if (JSON.parse(new TextDecoder().decode(bytes(head))).zip !== "DEF") return plain.text();
    return new Response(plain.stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
  }

  function element(name, text, within) {
    const made = document.createElement(name);
    made.textContent = text;
    within.append(made);
    return made;
  }

  // Only words and their plain order are taken over from what another wrote, never markup of theirs.
  function copied(from, to) {
    for (const node of from.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) to.append(node.nodeValue);
      else if (KEPT.has(node.nodeName)) {
        const made = document.createElement(node.nodeName);
        if (node.nodeName === "TABLE") made.className = "usa-table usa-table--borderless";
        to.append(made);
        copied(node, made);
      } else if (!["SCRIPT", "STYLE"].includes(node.nodeName)) copied(node, to);
    }
  }

  function section(one) {
    element("h3", one.title || "", opened);
    if (!one.text || !one.text.div) return;
    const box = document.createElement("div");
    Object.assign(box, {className: "wide", tabIndex: 0});
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", one.title || "");
    copied(new DOMParser().parseFromString(one.text.div, "text/html").body, box);
    opened.append(box);
  }

  function toSave(content, type, name, label) {
    const line = element("p", "", opened), way = element("a", label, line);
    Object.assign(way, {className: "usa-button", download: name, href: URL.createObjectURL(new Blob([content], {type}))});
  }

  function show(text) {
    const bundle = JSON.parse(text), all = (bundle.entry || []).map(one => one.resource);
    const story = all.find(one => one.resourceType === "Composition"), counts = {};
    const heading = element("h2", (story && story.title) || words.title, opened);
    if (story) {
      element("p", `${words.made} ${new Date(story.date).toLocaleDateString(document.documentElement.lang)}`, opened);
      (story.section || []).forEach(section);
    }
    const papers = all.filter(one => one.resourceType === "DocumentReference").flatMap(one => one.content || []);
    const paper = all.length === 1 && papers.map(one => one.attachment).find(one => one.contentType === "application/pdf");
    if (paper) toSave(bytes(paper.data), "application/pdf", "health-record.pdf", words.pdf);
    if (!story && !paper) {
      all.forEach(one => { counts[one.resourceType] = (counts[one.resourceType] || 0) + 1; });
      const list = element("ul", "", opened);
      Object.entries(counts).sort().forEach(([type, count]) => element("li", `${type}: ${count}`, list));
    }
    toSave(text, "application/fhir+json", "health-record.json", words.file);
    heading.tabIndex = -1;
    heading.focus();
  }

  form.addEventListener("submit", async event => {
    event.preventDefault();
    const shl = link(), button = form.querySelector("button");
    said.textContent = words.coming;
    button.disabled = true;
    try {
      const token = await fetched(shl, form.recipient.value.trim(), form.passcode.value);
      const text = await decrypted(token, shl.key);
      opened.replaceChildren();
      show(text);
      form.hidden = true;
      said.textContent = "";
    } catch (problem) {
      said.textContent = problem instanceof Told ? problem.message : words.failed;
    }
    button.disabled = false;
  });

  const shl = link();
  if (ours(shl)) {
    part.hidden = false;
    form.querySelector(".passcode").hidden = !(shl.flag || "").includes("P");
  }
})();
