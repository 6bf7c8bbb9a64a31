"use strict";
// The one script: it hands a form's question to the authenticator, and the authenticator's answer to the form;
// and it hands a link's secret, which stands behind the `#` and so goes nowhere by itself, to the form that asks for it.
(() => {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  const listed = (found) => (found ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

  async function create(options) {
    const user = { ...options.user, id: bytes(options.user.id) };
    const excludeCredentials = listed(options.excludeCredentials);
    const publicKey = { ...options, user, excludeCredentials, challenge: bytes(options.challenge) };
    const made = await navigator.credentials.create({ publicKey });
    const transports = made.response.getTransports ? made.response.getTransports() : [];
    return answer(made, { attestationObject: text(made.response.attestationObject), transports });
  }

  async function get(options) {
    const allowCredentials = listed(options.allowCredentials);
    const publicKey = { ...options, allowCredentials, challenge: bytes(options.challenge) };
    const given = await navigator.credentials.get({ publicKey });
    const { authenticatorData, signature, userHandle } = given.response;
    const named = userHandle && userHandle.byteLength ? { userHandle: text(userHandle) } : {};
    return answer(given, { authenticatorData: text(authenticatorData), signature: text(signature), ...named });
  }

  function answer(credential, members) {
    const response = { clientDataJSON: text(credential.response.clientDataJSON), ...members };
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  }

  function tell(form, error) {
    const place = form.querySelector("[role=alert]");
    place.textContent =
      error.name === "InvalidStateError"
        ? "This authenticator holds a passkey for you already. Use another one."
        : error.name === "NotAllowedError"
          ? "Nothing was done: the passkey was not used, or too much time went by. Reload the page to try again."
          : `Your browser could not use a passkey here (${error.name}).`;
    place.hidden = false;
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const field = form.querySelector("input[name=response]");
    if (!field || field.value) return;
    event.preventDefault();
    const button = event.submitter;
    try {
      const options = JSON.parse(button.dataset.options ?? form.dataset.options);
      field.value = await (form.dataset.ceremony === "create" ? create(options) : get(options));
    } catch (error) {
      tell(form, error);
      return;
    }
    form.requestSubmit(button);
  });

  const opening = document.querySelector("form[data-fragment]");
  if (opening && location.hash.length > 1) {
    opening.querySelector("input[name=secret]").value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    opening.requestSubmit();
  }
})();
