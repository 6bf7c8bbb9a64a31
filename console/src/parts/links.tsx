/** Ids lead to what they name: one table of which prefix is at which address. */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

const PLACES: Readonly<Record<string, (id: string) => string>> = {
  dec: (id) => `/decisions/${id}`,
  apr: (id) => `/approvals/${id}`,
  agt: (id) => `/agents/${id}`,
  kil: (id) => `/kills/${id}`,
  tsk: (id) => `/tasks/${id}`,
  rec: (id) => `/ledger/${id}`,
};

/** The address of what an id names, or undefined where no screen shows it. */
export function placeOf(id: string): string | undefined {
  return PLACES[id.split("_", 1)[0] ?? ""]?.(id);
}

/** An id, as a link where a screen shows what it names; `children` may say it in better words. */
export function To({ id, children }: { readonly id: string | null | undefined; readonly children?: ReactNode }) {
  if (!id) return <span className="soft">none</span>;
  const place = placeOf(id);
  const said = children ?? <code>{id}</code>;
  return place ? <Link to={place}>{said}</Link> : <span title={id}>{said}</span>;
}
