"use strict";
// Shows a message while no page is open, says that it arrived, and opens its page. It answers nothing.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data.json();
  } catch {
    told = { title: "Something waits for you", body: "Open the page to see what it is about.", link: "", id: "" };
  }
  const options = { body: String(told.body), tag: String(told.id), data: { link: String(told.link) } };
  const received = new URLSearchParams({ message: String(told.id) });
  event.waitUntil(
    Promise.all([
      self.registration.showNotification(String(told.title), options),
      // Not arriving costs nothing: another channel is tried.
      fetch(new URL("received", self.registration.scope), { method: "POST", body: received }).catch(() => {}),
    ]),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const link = event.notification.data && event.notification.data.link;
  const home = new URL(self.registration.scope);
  const target = link ? new URL(link, home) : new URL("messages", home);
  // Only pages of this very installation, whatever the message says.
  if (target.pathname.startsWith(home.pathname)) {
    const here = new URL(target.pathname + target.search, home);
    event.waitUntil(self.clients.openWindow(here.href));
  }
});
