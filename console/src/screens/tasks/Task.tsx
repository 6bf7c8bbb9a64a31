import { useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useLive } from "../../api/live";
import type { BudgetView, EdgeView, GraphView } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { To } from "../../parts/links";
import { Rights } from "../../parts/Rights";
import { Facts, Panel, Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { budgetQuery, graphQuery } from "./data";

// The drawing is heavy, and not everyone looks at it: it comes when a task is opened.
const Drawing = lazy(() => import("./Drawing").then((found) => ({ default: found.Drawing })));

/** One task: who asked, through whom, what each hop took away, which tools were reached. */
export function Task() {
  const { task: ident } = useParams({ from: "/tasks/$task" });
  const { data: graph } = useSuspenseQuery(graphQuery(ident));
  const queries = useQueryClient();
  useLive(["decision.action", "authority.", "oversight.kill"], () => void queries.invalidateQueries({ queryKey: ["tasks"] }), { pause: 2_000 });
  const { task } = graph;
  return (
    <Screen
      title={`Task ${task.id}`}
      heading={<><State of={task.state} /> <Untrusted>{task.purpose}</Untrusted></>}
      about={<code>{task.id}</code>}
      actions={<CopyAs command={`remit delegation show ${task.id}`} request={`GET /api/v1/tasks/${task.id}/graph`} />}
    >
      <div className="stack">
        <Panel title="Who, through whom, to what" flush>
          <Suspense fallback={<p role="status" className="panel-body">drawing</p>}><Drawing of={graph} /></Suspense>
        </Panel>
        <Panel title="Step by step" flush><Steps of={graph} /></Panel>
        <div className="columns">
          <Panel title="What it is">
            <Facts
              of={[
                ["For", <To key="for" id={task.user || task.trigger} />],
                ["First agent", <To key="agent" id={task.agent} />],
                ["Mode", `${task.mode}, begun by the ${task.initiative}`],
                ["Consent", task.grant && <To key="grant" id={task.grant} />],
                ["Goal", <code key="goal">{task.goal_digest}</code>],
                ["Started", <When key="started" at={task.started_at} />],
                ["Until", <When key="until" at={task.deadline} />],
                ["Ended", task.ended_at && <When key="ended" at={task.ended_at} />],
              ]}
            />
          </Panel>
          <Panel title="Budget"><Budget ident={task.id} /></Panel>
        </div>
      </div>
    </Screen>
  );
}

/** The same as the drawing, in words: for readers of screens, and for whoever wants it exactly. */
function Steps({ of }: { readonly of: GraphView }) {
  const names = new Map(of.nodes.map((each) => [each.id, each]));
  return (
    <>
      <ul className="stages">
        {of.edges.map((edge) => (
          <li key={`${edge.source} ${edge.target}`}>
            <span>{edge.way === "broker" ? <span className="tag tag-step_up">broker</span> : edge.way}</span>
            <span>{edge.revoked && <span className="tag tag-deny">revoked</span>}</span>
            <div>
              <p><Named of={names.get(edge.source)?.name} dead={names.get(edge.source)?.dead} /> → <Named of={names.get(edge.target)?.name} dead={names.get(edge.target)?.dead} /></p>
              <Step of={edge} />
            </div>
          </li>
        ))}
      </ul>
      {of.more && <p className="panel-body soft">calls were counted in the oldest 1,000 records of this task</p>}
    </>
  );
}

function Named({ of, dead }: { readonly of: string | undefined; readonly dead: boolean | undefined }) {
  return <><Untrusted own>{of}</Untrusted>{dead && <> <span className="tag tag-deny">stopped</span></>}</>;
}

function Step({ of }: { readonly of: EdgeView }) {
  const { narrowed } = of;
  if (of.effects && Object.keys(of.effects).length > 0) return <p>{Object.entries(of.effects).map(([effect, count]) => `${count} ${effect}`).join(", ")}</p>;
  return (
    <>
      {narrowed && narrowed.lost.length > 0 && <details><summary>{narrowed.lost.length} rights were not passed on</summary><Rights of={narrowed.lost} /></details>}
      {narrowed && narrowed.tightened.length > 0 && <details open><summary>passed on in part</summary><Rights of={narrowed.tightened} /></details>}
      {narrowed?.shorter && <p>it ends earlier</p>}
      {narrowed?.caps && <p>fewer calls, or less money</p>}
      {narrowed && narrowed.lost.length === 0 && narrowed.tightened.length === 0 && !narrowed.shorter && !narrowed.caps && <p className="soft">nothing was taken away</p>}
      {of.ceiling && <details><summary>what is left: {of.ceiling.rights.length} rights</summary><Rights of={of.ceiling.rights} /></details>}
      {of.chain && !of.revoked && of.way !== "asks" && <p><Link to="/kills" search={{ kind: "chain", target: of.chain }}>Revoke this hop…</Link></p>}
    </>
  );
}

function Budget({ ident }: { readonly ident: string }) {
  const { data } = useQuery(budgetQuery(ident));
  if (!data) return <p role="status" className="soft">loading</p>;
  if (data.length === 0) return <p className="soft">nothing limits its use: no ceiling on the way has a cap</p>;
  return <ul>{data.map((each) => <li key={JSON.stringify(each)}><Line of={each} /></li>)}</ul>;
}

function Line({ of }: { readonly of: BudgetView }) {
  const what = `${of.of}${of.currency ? ` (${of.currency}, minor units)` : ""} per ${of.per}`;
  return (
    <>
      <Untrusted own>{of.factor}</Untrusted>: {of.used.toLocaleString("en")}{of.most != null && ` of ${of.most.toLocaleString("en")}`} {what}
      {of.ask_above != null && `, asked above ${of.ask_above.toLocaleString("en")}`}
      {of.again && <>, anew <When at={of.again} brief /></>}
    </>
  );
}
