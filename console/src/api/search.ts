/** What ⌘K finds: the server's own search over ids and names, of what the caller may see. */
import { placeOf } from "../parts/links";
import { api, body } from "./client";
import type { HitView } from "./schema";

export interface Hit {
  readonly id: string;
  readonly label: string;
  readonly kind: string;
  readonly to: string;
}

const MOST = 12;

/** An id leads to what it names; a name to the entry that bears it. */
export async function search(text: string): Promise<readonly Hit[]> {
  const found = await body(api.GET("/api/v1/search", { params: { query: { q: text, limit: MOST } } }));
  return found.map((each) => ({ id: each.id, label: each.name, kind: [each.kind, each.state].filter(Boolean).join(", "), to: place(each) }));
}

/** Its own screen; of what has none, the list in which it stands, or what the log says of it. */
function place({ kind, id }: HitView): string {
  const own = placeOf(id);
  if (own) return own;
  if (kind === "rule") return "/policies";
  return `/ledger?of=${encodeURIComponent(id)}`;
}
