import { Progress } from "@mantine/core";
import { useSuspenseQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { KillView } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { To } from "../../parts/links";
import { Facts, Panel, Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { killQuery } from "./data";
import { Reach } from "./Trigger";

/** One kill: which planes have confirmed, how long each took, what was already on its way. */
export function Kill() {
  const { kill: ident } = useParams({ from: "/kills/$kill" });
  const { data: kill } = useSuspenseQuery(killQuery(ident));
  const { stopped } = kill;
  return (
    <Screen
      title={`Kill ${kill.id}`}
      heading={<><State of={kill.state} /> {stopped.kind} <Untrusted own>{stopped.name || stopped.target}</Untrusted></>}
      about={<Untrusted own>{kill.reason}</Untrusted>}
      actions={<CopyAs command={`remit kill --show ${kill.id}`} request={`GET /api/v1/kills/${kill.id}`} />}
    >
      <div className="stack">
        <Panel title="Planes" flush><Planes of={kill} /></Panel>
        <div className="columns">
          <Panel title="What it stopped">
            <Reach of={stopped} />
          </Panel>
          <Panel title="On record">
            <Facts
              of={[
                ["When", <When at={kill.at} key="at" />],
                ["By", <To id={kill.by} key="by" />],
                ["Epoch", `${kill.epoch_before} → ${kill.epoch}`],
                ["In flight", kill.in_flight.length ? <ul key="flight">{kill.in_flight.map((each) => <li key={each}><code>{each}</code>: begun before, outcome unknown</li>)}</ul> : "no call had begun before"],
              ]}
            />
          </Panel>
        </div>
      </div>
    </Screen>
  );
}

function Planes({ of }: { readonly of: KillView }) {
  const done = of.planes.filter((each) => each.confirmed).length;
  return (
    <>
      <div className="panel-body" role="status">
        <p>{done} of {of.planes.length} planes have confirmed</p>
        <Progress value={of.planes.length ? (100 * done) / of.planes.length : 0} aria-label="Planes that have confirmed" color={of.state === "done" ? "green.8" : "yellow.8"} />
      </div>
      <ul className="stages">
        {of.planes.map((each) => (
          <li key={each.plane}>
            <strong>{each.plane}</strong>
            <State of={each.confirmed ? "confirmed" : "waiting"} />
            <span>{each.detail} <span className="soft">after {each.seconds.toFixed(3)} s</span></span>
          </li>
        ))}
      </ul>
    </>
  );
}
