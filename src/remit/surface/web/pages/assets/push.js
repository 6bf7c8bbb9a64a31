"use strict";
// Lets this browser be notified: registers the worker, subscribes with our key, and hands the subscription to the form.
(() => {
  const form = document.querySelector("form[data-push-key]");
  if (!form) return;
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  const bytes = (key) =>
    Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

  function tell(sentence) {
    const place = form.querySelector("[role=alert]");
    place.textContent = sentence;
    place.hidden = false;
  }

  async function subscribe() {
    if (!("serviceWorker" in navigator) || !("PushManager" in window)) {
      throw new Error("This browser can't be notified. On a phone, add this page to the home screen first.");
    }
    if ((await Notification.requestPermission()) !== "granted") {
      throw new Error("This browser was told not to show notifications from here. Change that in its settings.");
    }
    const registered = await navigator.serviceWorker.register(form.dataset.worker, { scope: form.dataset.scope });
    const known = await registered.pushManager.getSubscription();
    if (known) await known.unsubscribe();
    const options = { userVisibleOnly: true, applicationServerKey: bytes(form.dataset.pushKey) };
    return registered.pushManager.subscribe(options);
  }

  form.addEventListener("submit", async (event) => {
    const endpoint = form.querySelector("input[name=endpoint]");
    if (endpoint.value) return;
    event.preventDefault();
    try {
      const made = await subscribe();
      form.querySelector("input[name=p256dh]").value = text(made.getKey("p256dh"));
      form.querySelector("input[name=auth]").value = text(made.getKey("auth"));
      endpoint.value = made.endpoint;
    } catch (error) {
      tell(error.name === "Error" ? error.message : `This browser could not be subscribed (${error.name}).`);
      return;
    }
    form.requestSubmit();
  });
})();
