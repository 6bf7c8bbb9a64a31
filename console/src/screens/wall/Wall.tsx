import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useLive } from "../../api/live";
import { api, body } from "../../api/client";
import type { WallView } from "../../api/schema";
import { Bars, ofMinutes, sum } from "../../parts/Bars";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { Panel, Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";

const EVERY = 5_000; // milliseconds between two looks, should no event come
const MINUTES = 15;
const MINUTE = 60_000;

const SAID: Readonly<Record<string, string>> = {
  kill_unfinished: "a kill is not confirmed on every plane",
  breakglass_open: "break glass is open",
  breakglass_unreviewed: "break glass waits for its review",
  ask_overdue: "asks are over and not cleared yet",
  agent_suspended: "agents are suspended",
};
const WHERE: Readonly<Record<string, string>> = { kill_unfinished: "/kills", agent_suspended: "/inventory", ask_overdue: "/approvals" };

/** For the screen on the wall: everything at one look, nothing to press; it follows by itself. */
export function Wall() {
  const wall = useQuery({ queryKey: ["wall"], queryFn: () => body(api.GET("/api/v1/wall")), refetchInterval: EVERY, refetchIntervalInBackground: true });
  useLive(["oversight.", "decision.action"], () => void wall.refetch(), { pause: 1_500 });
  return (
    <Screen title="Wall" about={wall.data ? <>as of <When at={wall.data.at} brief /> UTC{wall.isError && <strong> · the last look failed: this is old</strong>}</> : "what happens now, at one look"} actions={<CopyAs request="GET /api/v1/wall" />}>
      {wall.data ? <Now of={wall.data} /> : wall.isError ? <Failed error={wall.error} /> : <p role="status">loading</p>}
    </Screen>
  );
}

function Now({ of }: { readonly of: WallView }) {
  const bars = ofMinutes(of.minutes);
  const total = bars.reduce((all, each) => all + sum(each.effects), 0);
  const denied = of.minutes.filter((each) => each.effect === "deny").reduce((all, each) => all + each.count, 0);
  return (
    <div className="stack">
      <Alarms of={of} />
      <div className="figures">
        <Link className="panel figure" to="/approvals" search={{ state: "pending" }}><b>{of.asks.toLocaleString("en")}</b>asks wait{of.next_expiry && <>, the next ends <When at={of.next_expiry} brief /></>}</Link>
        <Link className="panel figure" to="/decisions"><b>{total.toLocaleString("en")}{of.cut_off && "+"}</b>decisions in {MINUTES} minutes</Link>
        <Link className="panel figure" to="/decisions" search={{ effect: "deny" }}><b>{denied.toLocaleString("en")}</b>of them denied</Link>
        <Link className="panel figure" to="/inventory" search={{ state: "active" }}><b>{of.active_agents.toLocaleString("en")}</b>active agents</Link>
        <Link className="panel figure" to="/ledger"><b>{of.records.toLocaleString("en")}</b>records in the log</Link>
      </div>
      <Panel title={`Decisions by minute${of.cut_off ? ", the newest 20,000" : ""}`}>
        <Bars of={bars} label={`Decisions by minute of the last ${MINUTES} minutes`} slot={MINUTE} slots={MINUTES + 1} until={Date.parse(of.at)} />
        <p className="soft">permit green, ask amber, step up violet, deny red</p>
      </Panel>
      <div className="columns">
        <Panel title="Denied most, in these minutes">
          {of.refused.length === 0 ? <p className="soft">nobody was denied anything</p> : <ol>{of.refused.map((each) => <li key={each.agent}><To id={each.agent}><Untrusted own>{each.name}</Untrusted></To> {each.count}</li>)}</ol>}
        </Panel>
        <Panel title="Last kills">
          {of.kills.length === 0 ? <p className="soft">nothing was ever stopped here</p> : <ul>{of.kills.map((each) => <li key={each.id}><State of={each.state} /> <To id={each.id}><Untrusted own>{each.target}</Untrusted></To> <When at={each.at} brief /></li>)}</ul>}
        </Panel>
      </div>
    </div>
  );
}

function Alarms({ of }: { readonly of: WallView }) {
  if (of.alarms.length === 0) return <p role="status"><span className="tag tag-permit">quiet</span> nothing needs a look</p>;
  return (
    <section className="failed" role="alert">
      {of.alarms.map((each) => (
        <p key={each.code}><strong>{each.count}</strong> · {WHERE[each.code] ? <Link to={WHERE[each.code] as string}>{SAID[each.code] ?? each.code}</Link> : (SAID[each.code] ?? each.code)}</p>
      ))}
    </section>
  );
}
