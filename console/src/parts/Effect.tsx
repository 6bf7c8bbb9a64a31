const WORDS: Readonly<Record<string, string>> = {
  permit: "permit",
  deny: "deny",
  ask: "ask",
  step_up: "step up",
};

/** A verdict, told by its word; the colour only repeats it. */
export function Effect({ of }: { readonly of: string }) {
  return <span className={`tag tag-${of}`}>{WORDS[of] ?? of}</span>;
}

const KINDS: Readonly<Record<string, string>> = {
  active: "permit", approved: "permit", done: "permit", "in force": "permit", confirmed: "permit",
  suspended: "ask", pending: "ask", killing: "ask", quarantined: "ask", draft: "ask", waiting: "ask",
  retired: "deny", denied: "deny", revoked: "deny", expired: "deny", cancelled: "deny",
};

/** A state of anything, told by its word. */
export function State({ of }: { readonly of: string }) {
  return <span className={`tag tag-${KINDS[of] ?? "quiet"}`}>{of.replaceAll("_", " ")}</span>;
}
