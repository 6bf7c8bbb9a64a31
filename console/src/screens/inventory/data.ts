/** The directory as lists: what is asked of the API. */
import { queryOptions } from "@tanstack/react-query";
import { api, body } from "../../api/client";
import type { Environment, Kind, State } from "../../api/schema";

export type Sort = "name" | "changed" | "entered";

/** What stands in the address of the screen. */
export interface Wanted {
  readonly kind?: Kind;
  readonly text?: string;
  readonly state?: State;
  readonly owner?: string;
  readonly environment?: Environment;
  readonly order?: string;
}

export const KINDS: readonly { readonly value: Kind; readonly label: string }[] = [
  { value: "agent", label: "Agents" },
  { value: "instance", label: "Instances" },
  { value: "blueprint", label: "Blueprints" },
  { value: "human", label: "People" },
  { value: "mcp_server", label: "MCP servers" },
  { value: "tool", label: "Tools" },
  { value: "application", label: "Applications" },
  { value: "service_account", label: "Service accounts" },
  { value: "ci_pipeline", label: "CI pipelines" },
  { value: "ephemeral_workload", label: "Workloads" },
];

/** Kinds on which deeds for many are offered; the others have addresses of their own. */
export const CHANGED: ReadonlySet<Kind> = new Set(["agent", "instance", "blueprint", "human", "application", "service_account"]);

export const ORDERS = [
  { value: "name", label: "name, A to Z" },
  { value: "name-", label: "name, Z to A" },
  { value: "changed-", label: "last changed first" },
  { value: "entered-", label: "newest first" },
  { value: "entered", label: "oldest first" },
] as const;

function narrowing({ kind = "agent", text, state, owner, environment }: Wanted) {
  return { kind, ...(text ? { text } : {}), ...(state ? { state } : {}), ...(owner ? { owner } : {}), ...(environment ? { environment } : {}) };
}

export function inventoryPage(wanted: Wanted, cursor: string) {
  const order = wanted.order ?? "name";
  const query = { ...narrowing(wanted), sort: order.replace("-", "") as Sort, backwards: order.endsWith("-"), cursor, limit: 100 };
  return body(api.GET("/api/v1/inventory", { params: { query } }));
}

export const tallyQuery = (wanted: Wanted) =>
  queryOptions({
    queryKey: ["inventory", "tally", narrowing(wanted)],
    queryFn: () => body(api.GET("/api/v1/inventory/tally", { params: { query: narrowing(wanted) } })),
  });
