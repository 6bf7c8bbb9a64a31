/** What the server wrote into the page. */

function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

/** The path below which this tenant is served: empty, or as `/t/acme`. */
export const base = meta("remit-base");

/** This page's nonce for style elements; a browser shows it to scripts, not to selectors. */
export function nonce(): string {
  return document.querySelector<HTMLElement>('meta[property="csp-nonce"]')?.nonce ?? "";
}

/** Leave for the sign-in page, and come back to this very address. */
export function signIn({ again = false } = {}): void {
  const here = window.location.pathname.slice(base.length) + window.location.search;
  const asked = new URLSearchParams(again ? { next: here, again: "1" } : { next: here });
  window.location.assign(`${base}/sign-in?${asked}`);
}
