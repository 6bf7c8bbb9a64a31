/** What ⌘K finds: the server's own search over ids and names. */
import { api, body } from "./client";
import { placeOf } from "../parts/links";

export interface Hit {
  readonly id: string;
  readonly label: string;
  readonly kind: string;
  readonly to: string;
}

/** An id leads to its screen; a name of an agent to that agent. */
export async function search(text: string): Promise<readonly Hit[]> {
  const place = placeOf(text);
  if (place && /^[a-z]+_[0-9a-z]{10,}$/i.test(text)) return [{ id: text, label: text, kind: "id", to: place }];
  if (!/^[a-z0-9][a-z0-9-]{1,62}$/.test(text)) return [];
  const found = await body(api.GET("/api/v1/agents/{ident}", { params: { path: { ident: text } } })).catch(() => undefined);
  return found ? [{ id: found.id, label: found.name, kind: "agent", to: `/agents/${found.id}` }] : [];
}
