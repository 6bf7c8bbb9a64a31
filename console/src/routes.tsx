/** Every address of the console. A screen is loaded when it is first opened; each object has an address of its own. */
import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Link, retainSearchParams } from "@tanstack/react-router";
import { base } from "./page";
import { Empty } from "./parts/Empty";
import { Failed } from "./parts/Failed";
import { Screen } from "./parts/Screen";
import { type Range, readRange } from "./shell/range";
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

const tree = root.addChildren([overview, decisions, decision, approvals, approval, kills, kill, agents, agent]);

export function makeRouter(queries: QueryClient) {
  return createRouter({ routeTree: tree, basepath: `${base}/console`, context: { queries }, defaultPreload: "intent", scrollRestoration: true });
}
