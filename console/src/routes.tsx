/** Every address of the console. A screen is loaded when it is first opened; each object has an address of its own. */
import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Link, retainSearchParams } from "@tanstack/react-router";
import { base } from "./page";
import "./screens.css";
import { Empty } from "./parts/Empty";
import { Failed } from "./parts/Failed";
import { Screen } from "./parts/Screen";
import { type Range, readRange } from "./shell/range";
import type { Wanted as Inventoried } from "./screens/inventory/data";
import type { Start } from "./screens/ledger/data";
import { Shell } from "./shell/Shell";

interface Kept {
  range?: Range;
}

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  component: Shell,
  errorComponent: ({ error, reset }) => <Screen title="Something failed"><Failed error={error} again={reset} /></Screen>,
  notFoundComponent: Nowhere,
  validateSearch: (search: Record<string, unknown>): Kept => {
    const range = readRange(search["range"]);
    return range ? { range } : {};
  },
  search: { middlewares: [retainSearchParams<Kept>(["range"])] },
});

function Nowhere() {
  return (
    <Screen title="No such screen">
      <Empty title="Nothing is at this address">
        It may have been mistyped, or be another version's. <Link to="/">Go to the overview</Link>
      </Empty>
    </Screen>
  );
}

const parent = () => root;
const text = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");

const overview = createRoute({ getParentRoute: parent, path: "/", component: lazyRouteComponent(() => import("./screens/overview/Overview"), "Overview") });

const decisions = createRoute({
  getParentRoute: parent,
  path: "/decisions",
  validateSearch: (search: Record<string, unknown>): { effect?: string; agent?: string } => ({
    ...(search["effect"] ? { effect: text(search["effect"]) } : {}),
    ...(search["agent"] ? { agent: text(search["agent"]) } : {}),
  }),
  component: lazyRouteComponent(() => import("./screens/decisions/Decisions"), "Decisions"),
});
const decision = createRoute({ getParentRoute: parent, path: "/decisions/$decision", component: lazyRouteComponent(() => import("./screens/decisions/Decision"), "Decision") });

const approvals = createRoute({
  getParentRoute: parent,
  path: "/approvals",
  validateSearch: (search: Record<string, unknown>): { state?: string } => (search["state"] ? { state: text(search["state"]) } : {}),
  component: lazyRouteComponent(() => import("./screens/approvals/Approvals"), "Approvals"),
});
const approval = createRoute({ getParentRoute: parent, path: "/approvals/$approval", component: lazyRouteComponent(() => import("./screens/approvals/Approval"), "Approval") });

const kills = createRoute({
  getParentRoute: parent,
  path: "/kills",
  validateSearch: (search: Record<string, unknown>): { kind?: string; target?: string } => ({
    ...(search["kind"] ? { kind: text(search["kind"]) } : {}),
    ...(search["target"] ? { target: text(search["target"]) } : {}),
  }),
  component: lazyRouteComponent(() => import("./screens/kills/Kills"), "Kills"),
});
const kill = createRoute({ getParentRoute: parent, path: "/kills/$kill", component: lazyRouteComponent(() => import("./screens/kills/Kill"), "Kill") });

const agents = createRoute({ getParentRoute: parent, path: "/agents", component: lazyRouteComponent(() => import("./screens/agents/Agents"), "Agents") });
const agent = createRoute({ getParentRoute: parent, path: "/agents/$agent", component: lazyRouteComponent(() => import("./screens/agents/Agent"), "Agent") });

const kept = <K extends string>(search: Record<string, unknown>, ...names: K[]): Partial<Record<K, string>> =>
  Object.fromEntries(names.filter((name) => search[name]).map((name) => [name, text(search[name])])) as Partial<Record<K, string>>;

const inventory = createRoute({
  getParentRoute: parent,
  path: "/inventory",
  validateSearch: (search: Record<string, unknown>): Inventoried => kept(search, "kind", "text", "state", "owner", "environment", "order") as Inventoried,
  component: lazyRouteComponent(() => import("./screens/inventory/Inventory"), "Inventory"),
});
const tasks = createRoute({ getParentRoute: parent, path: "/tasks", component: lazyRouteComponent(() => import("./screens/tasks/Tasks"), "Tasks") });
const task = createRoute({ getParentRoute: parent, path: "/tasks/$task", component: lazyRouteComponent(() => import("./screens/tasks/Task"), "Task") });
const policies = createRoute({ getParentRoute: parent, path: "/policies", component: lazyRouteComponent(() => import("./screens/policies/Policies"), "Policies") });
const relations = createRoute({ getParentRoute: parent, path: "/relations", component: lazyRouteComponent(() => import("./screens/relations/Relations"), "Relations") });
const ledger = createRoute({
  getParentRoute: parent,
  path: "/ledger",
  validateSearch: (search: Record<string, unknown>): Start => kept(search, "of", "since", "until"),
  component: lazyRouteComponent(() => import("./screens/ledger/Ledger"), "Ledger"),
});
const record = createRoute({ getParentRoute: parent, path: "/ledger/$record", component: lazyRouteComponent(() => import("./screens/ledger/LedgerRecord"), "LedgerRecord") });
const wall = createRoute({ getParentRoute: parent, path: "/wall", component: lazyRouteComponent(() => import("./screens/wall/Wall"), "Wall") });
const integrations = createRoute({ getParentRoute: parent, path: "/integrations", component: lazyRouteComponent(() => import("./screens/house/Integrations"), "Integrations") });
const settings = createRoute({ getParentRoute: parent, path: "/settings", component: lazyRouteComponent(() => import("./screens/house/Settings"), "Settings") });
const more = [inventory, tasks, task, policies, relations, ledger, record, wall, integrations, settings] as const;

const tree = root.addChildren([overview, decisions, decision, approvals, approval, kills, kill, agents, agent, ...more]);

export function makeRouter(queries: QueryClient) {
  return createRouter({ routeTree: tree, basepath: `${base}/console`, context: { queries }, defaultPreload: "intent", scrollRestoration: true });
}
