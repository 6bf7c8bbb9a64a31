import { ActionIcon, AppShell, Burger, Button, Kbd, Menu, Select, Tooltip, useMantineColorScheme } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { Suspense, useEffect } from "react";
import { useConnection, useFollowing } from "../api/live";
import { type Me, useMe } from "../api/me";
import { base } from "../page";
import { Toasts } from "../parts/toasts";
import { Untrusted } from "../parts/Untrusted";
import { type Entry, entries } from "./nav";
import { Palette } from "./Palette";
import { DEFAULT_RANGE, type Range, rangeChoices, useRange } from "./range";

/** The frame around every screen. */
export function Shell() {
  const me = useMe();
  useFollowing(me.sees_all);
  const [menu, { toggle, close }] = useDisclosure();
  const [palette, { open, close: shut }] = useDisclosure();
  useHotkeys([["mod+K", open], ["/", open]]);
  useClosing(close);
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !menu } }} transitionDuration={0}>
      <a className="skip" href="#contents">Skip to contents</a>
      <AppShell.Header className="frame-header">
        <Burger opened={menu} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={menu ? "Close navigation" : "Open navigation"} />
        <Link className="brand" to="/">Remit</Link>
        <Button variant="default" onClick={open} aria-keyshortcuts="Control+K Meta+K" ml="auto" rightSection={<Kbd size="xs" visibleFrom="sm" aria-hidden="true">Ctrl K</Kbd>}>
          Search
        </Button>
        <RangeChoice />
        <LiveMark />
        <SchemeSwitch />
        <Account me={me} />
      </AppShell.Header>
      <AppShell.Navbar className="frame-nav" component="div">
        <nav aria-label="Screens"><Groups me={me} /></nav>
      </AppShell.Navbar>
      <AppShell.Main id="contents" tabIndex={-1}>
        <Suspense fallback={<div className="screen" role="status">loading</div>}>
          <Outlet />
        </Suspense>
      </AppShell.Main>
      {palette && <Palette me={me} close={shut} />}
      <Toasts />
    </AppShell>
  );
}

/** On a phone the navigation covers the screen: it closes once it has led somewhere. */
function useClosing(close: () => void): void {
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => {
    close();
  }, [path, close]);
}

function Groups({ me }: { readonly me: Me }) {
  const groups = Map.groupBy(entries.filter((each) => each.for?.(me) ?? true), (each: Entry) => each.group);
  return [...groups].map(([group, found]) => (
    <section key={group} aria-label={group}>
      <h2>{group}</h2>
      {found.map((each) => (
        <Link key={each.to} to={each.to} activeOptions={{ exact: each.to === "/", includeSearch: false }}>{each.label}</Link>
      ))}
    </section>
  ));
}

function RangeChoice() {
  const range = useRange();
  const navigate = useNavigate();
  const choose = (value: string | null) => {
    const next = value && value !== DEFAULT_RANGE ? (value as Range) : undefined;
    void navigate({ to: ".", search: (old: Record<string, unknown>) => ({ ...old, range: next }) });
  };
  return <Select visibleFrom="sm" aria-label="Time range" data={rangeChoices} value={range} onChange={choose} allowDeselect={false} w={160} />;
}

const SAID = { connecting: "connecting", live: "live", lost: "not live: trying again", forbidden: "looks every 15 s" } as const;

function LiveMark() {
  const now = useConnection();
  const kind = now === "live" ? "permit" : now === "lost" ? "deny" : "quiet";
  return (
    <Tooltip label={now === "live" ? "Screens follow the log as it is written" : "Screens show what was last fetched"}>
      <span className={`tag tag-${kind}`} role="status">{SAID[now]}</span>
    </Tooltip>
  );
}

function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = { auto: "dark", dark: "light", light: "auto" } as const;
  const label = `Colours: ${colorScheme === "auto" ? "as the system" : colorScheme}. Change`;
  return (
    <ActionIcon variant="default" size="lg" aria-label={label} title={label} onClick={() => setColorScheme(next[colorScheme])}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path fill="currentColor" d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1m0 1.5v11a5.5 5.5 0 0 1 0-11" /></svg>
    </ActionIcon>
  );
}

function Account({ me }: { readonly me: Me }) {
  const leave = (path: string) => () => window.location.assign(base + path);
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label="Your account">
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path fill="currentColor" d="M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6m-6 6c0-3 2.7-4.5 6-4.5s6 1.5 6 4.5z" /></svg>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label><Untrusted own>{me.name}</Untrusted></Menu.Label>
        <Menu.Label>{me.roles.length ? me.roles.join(", ") : "no role"} · tenant {me.tenant}</Menu.Label>
        <Menu.Item onClick={leave("/me/passkeys")}>Passkeys</Menu.Item>
        <Menu.Item onClick={leave("/me/sessions")}>Sessions</Menu.Item>
        <Menu.Item onClick={leave("/me/grants")}>Grants to agents</Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={leave("/sign-out")}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
