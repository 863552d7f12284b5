// Hands the page's options to the browser's passkey dialog and sends what the key signed with the form.
"use strict";
(() => {
  const form = document.getElementById("passkey");
  if (!form || !window.PublicKeyCredential) return;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));
  const publicKey = JSON.parse(form.dataset.options);
  publicKey.challenge = bytes(publicKey.challenge);
  publicKey.allowCredentials = named(publicKey.allowCredentials);
  publicKey.excludeCredentials = named(publicKey.excludeCredentials);
  const making = form.dataset.making === "yes";
  if (making) publicKey.user.id = bytes(publicKey.user.id);
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    try {
      const made = making ? await navigator.credentials.create({ publicKey }) : await navigator.credentials.get({ publicKey });
      const response = {};
      for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
        if (made.response[name]) response[name] = text(made.response[name]);
      }
      form.elements.credential.value = JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response });
      form.submit();
    } catch {
      const said = document.getElementById("said");
      said.textContent = form.dataset.failed;
      said.className = "";
    }
  });
})();
