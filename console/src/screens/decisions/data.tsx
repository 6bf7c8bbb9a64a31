/** Decisions: what is asked of the API, and the columns that every list of them has. */
import { queryOptions } from "@tanstack/react-query";
import { createColumnHelper } from "@tanstack/react-table";
import { api, body } from "../../api/client";
import type { DecisionLine, Effect as Verdict } from "../../api/schema";
import { Effect } from "../../parts/Effect";
import { To } from "../../parts/links";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";

export const EFFECTS: readonly Verdict[] = ["permit", "ask", "step_up", "deny"];

export interface Wanted {
  readonly effect?: Verdict;
  readonly agent?: string;
  readonly since: string | null;
}

export function decisionPage({ effect, agent, since }: Wanted, cursor: string, limit: number) {
  const query = { ...(effect ? { effect } : {}), ...(agent ? { agent } : {}), ...(since ? { since } : {}), cursor, limit };
  return body(api.GET("/api/v1/decisions", { params: { query } }));
}

export const decisionQuery = (decision: string) =>
  queryOptions({
    queryKey: ["decisions", "one", decision],
    queryFn: () => body(api.GET("/api/v1/decisions/{decision}", { params: { path: { decision } } })),
  });

const col = createColumnHelper<DecisionLine>();
export const decisionColumns = [
  col.accessor("at", { header: "When (UTC)", size: 110, cell: ({ row }) => <To id={row.original.id}><When at={row.original.at} brief /></To> }),
  col.accessor("effect", { header: "Verdict", size: 95, cell: (cell) => <Effect of={cell.getValue()} /> }),
  col.accessor("agent_name", { header: "Agent", size: 150, cell: ({ row }) => <To id={row.original.agent}><Untrusted own>{row.original.agent_name}</Untrusted></To> }),
  col.accessor("user_name", { header: "For", size: 150, cell: ({ row }) => (row.original.user ? <Untrusted own>{row.original.user_name}</Untrusted> : <span className="soft">itself</span>) }),
  col.accessor("action", { header: "Action", size: 170, cell: (cell) => <Untrusted own>{cell.getValue()}</Untrusted> }),
  col.accessor("resource", { header: "Resource", size: 160, cell: (cell) => <Untrusted>{cell.getValue()}</Untrusted> }),
  col.accessor("code", { header: "Because", size: 170, cell: ({ row }) => <code>{row.original.rule || row.original.code}</code> }),
];
