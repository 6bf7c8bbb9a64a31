import "./trusted";
import "@mantine/core/styles.css";
import "./console.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { setNonce } from "get-nonce";
import { App } from "./app";
import { nonce } from "./page";

// What Mantine takes to hold the page still behind a dialog writes a style element of its own.
setNonce(nonce());

// After an upgrade of the server a page that is open asks for scripts that are gone: a new page has the new ones.
window.addEventListener("vite:preloadError", () => window.location.reload());

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
