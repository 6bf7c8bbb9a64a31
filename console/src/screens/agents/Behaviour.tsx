import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Bars, ofHours } from "../../parts/Bars";
import { Failed } from "../../parts/Failed";
import { Facts } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { Risk } from "../decisions/Stages";
import { behaviourQuery, driftQuery, riskQuery } from "./data";

const DAYS = 7;
const HOUR = 3_600_000;

/** What it did: counted from its decisions, nothing estimated. */
export function Behaviour({ ident }: { readonly ident: string }) {
  const { data, error } = useQuery(behaviourQuery(ident, DAYS));
  if (error) return <Failed error={error} />;
  if (!data) return <p role="status" className="soft">loading</p>;
  if (data.decisions === 0) return <p className="soft">it did nothing in the last {DAYS} days: its calls are counted here by hour and action</p>;
  return (
    <div className="stack">
      <p><Link to="/decisions" search={{ agent: ident }}>{data.decisions.toLocaleString("en")} {data.decisions === 1 ? "decision" : "decisions"}</Link> in {DAYS} days{data.more && ", the newest; older ones were not counted"}</p>
      <Bars of={ofHours(data.hours)} label={`Calls by hour of the last ${DAYS} days`} slot={HOUR} slots={24 * DAYS} until={Date.now()} />
      <table className="table" aria-label="Actions" style={{ minWidth: 0 }}>
        <thead><tr><th scope="col">Action</th><th scope="col" style={{ width: 64 }}>Calls</th><th scope="col" style={{ width: 90 }}>Permitted</th><th scope="col" style={{ width: 150 }}>First</th></tr></thead>
        <tbody>
          {data.actions.map((each) => (
            <tr key={each.action}>
              <td><Untrusted own>{each.action}</Untrusted> {each.new && <span className="tag tag-ask">new</span>}</td>
              <td>{each.calls}</td>
              <td>{each.permitted}</td>
              <td><When at={each.first} brief /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** How risky its last call was, split into what adds to it; and what others say of it. */
export function RiskOf({ agent }: { readonly agent: string }) {
  const { data, error } = useQuery(riskQuery(agent));
  if (error) return <Failed error={error} />;
  if (!data) return <p role="status" className="soft">loading</p>;
  const signals = data.signals ?? [];
  return (
    <div className="stack">
      {data.last ? <><Risk of={data.last.risk} /><p className="soft">of decision <Link to="/decisions/$decision" params={{ decision: data.last.decision }}>{data.last.decision}</Link></p></> : <p className="soft">no call of it was assessed yet</p>}
      <Facts of={signals.map((each) => [each.kind, <span key={each.kind}>{each.level ?? "worst"} by <Untrusted own>{each.source}</Untrusted>, <When at={each.at} brief /></span>] as const)} />
    </div>
  );
}

/** Where it differs from its blueprint as that is now. */
export function Drift({ ident }: { readonly ident: string }) {
  const { data, error } = useQuery(driftQuery(ident));
  if (error) return <Failed error={error} />;
  if (!data) return <p role="status" className="soft">loading</p>;
  if (data.length === 0) return <p className="soft">it is as its blueprint says</p>;
  return <Facts of={data.map((each) => [each.field, <span key={each.field}><Untrusted own>{each.agent}</Untrusted> instead of <Untrusted own>{each.blueprint}</Untrusted></span>] as const)} />;
}
