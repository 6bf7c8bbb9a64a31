/** What the left navigation lists, and ⌘K beside it; who may not see a thing is not led there. */
import type { Me } from "../api/me";

export interface Entry {
  readonly to: string;
  readonly label: string;
  readonly group: "Now" | "Who" | "Rules" | "Proof" | "House";
  /** Who is led there; absent is everyone. The server decides all the same. */
  readonly for?: (me: Me) => boolean;
}

/** Whether the server shows this person everything, rather than their own. */
export const seesAll = (me: Me): boolean => me.sees_all;

export const entries: readonly Entry[] = [
  { to: "/", label: "Overview", group: "Now", for: seesAll },
  { to: "/decisions", label: "Decisions", group: "Now", for: seesAll },
  { to: "/approvals", label: "Approvals", group: "Now" },
  { to: "/kills", label: "Kill switch", group: "Now", for: seesAll },
  { to: "/wall", label: "Wall", group: "Now", for: seesAll },
  { to: "/inventory", label: "Inventory", group: "Who", for: seesAll },
  { to: "/tasks", label: "Tasks", group: "Who", for: (me) => !me.roles.includes("approver-only") },
  { to: "/policies", label: "Policy", group: "Rules", for: seesAll },
  { to: "/relations", label: "Relations", group: "Rules", for: seesAll },
  { to: "/ledger", label: "Ledger", group: "Proof", for: seesAll },
  { to: "/integrations", label: "Integrations", group: "House", for: seesAll },
  { to: "/settings", label: "Settings", group: "House", for: seesAll },
];
