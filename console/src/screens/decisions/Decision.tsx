import { useSuspenseQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { DecisionView } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { Effect, State } from "../../parts/Effect";
import { To } from "../../parts/links";
import { Facts, Panel, Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { decisionQuery } from "./data";
import { PolicyText } from "./PolicyText";
import { Proof } from "./Proof";
import { Miss, Risk, Stages } from "./Stages";

const HEADLINE = 120; // characters of a stranger's words in a heading

/** Why one call was answered as it was: from the record of that moment, never worked out anew. */
export function Decision() {
  const { decision: ident } = useParams({ from: "/decisions/$decision" });
  const { data: found } = useSuspenseQuery(decisionQuery(ident));
  const rules = [...new Set(found.stages.flatMap((stage) => stage.reasons ?? []).map((each) => each.rule ?? "").filter(Boolean))];
  return (
    <Screen
      title={`Decision ${found.id}`}
      heading={<><Effect of={found.effect} /> <Untrusted own>{found.agent_name}</Untrusted> · <Untrusted own>{found.action}</Untrusted> · <Untrusted most={HEADLINE}>{found.resource}</Untrusted></>}
      about={<Untrusted own>{found.told || found.sentence}</Untrusted>}
      actions={<CopyAs command={`remit why ${found.id}`} request={`GET /api/v1/decisions/${found.id}`} />}
    >
      <div className="stack">
        <div className="columns">
          <Panel title="Who and what"><Who of={found} /></Panel>
          <Panel title="What next"><Next of={found} /></Panel>
          {found.risk && <Panel title="Risk"><Risk of={found.risk} /></Panel>}
        </div>
        <Panel title="Stages" flush><Stages of={found.stages} /></Panel>
        <div className="columns">
          <Panel title={`Policy ${found.policy_version}`} flush>
            {found.policy_version ? <PolicyText version={numberOf(found.policy_version)} rules={rules} /> : <p className="panel-body soft">no policy was in force: everything is denied then</p>}
          </Panel>
          <Panel title="On record"><Proof decision={found.id} /></Panel>
        </div>
      </div>
    </Screen>
  );
}

/** `v3` is version 3. */
function numberOf(version: string): string {
  return /\d+/.exec(version)?.[0] ?? version;
}

function Who({ of }: { readonly of: DecisionView }) {
  return (
    <Facts
      of={[
        ["Decided", <When at={of.at} key="at" />],
        ["Agent", <To id={of.agent} key="agent"><Untrusted own>{of.agent_name}</Untrusted></To>],
        ["For", of.user ? <Untrusted own key="user">{of.user_name}</Untrusted> : "itself: nobody asked it to"],
        ["With", of.with?.length ? <Untrusted own key="with">{of.with.join(", ")}</Untrusted> : ""],
        ["Chain", <Chain of={of.chain} key="chain" />],
        ["Task", of.task && <To id={of.task} key="task" />],
        ["Purpose", of.purpose && <Untrusted key="purpose">{of.purpose}</Untrusted>],
        ["Call", <code key="call">{of.call}</code>],
        ["Arguments", <code key="arguments">{of.arguments_digest}</code>],
        ["Outcome", of.outcome && <State of={of.outcome} key="outcome" />],
        ["Facts as of", `revision ${of.revision}, epoch ${of.epoch}`],
        ["Data seen", of.labels?.length ? <Untrusted own key="labels">{of.labels.join(", ")}</Untrusted> : ""],
        ["Goes out to", of.outward?.length ? <Untrusted key="outward">{of.outward.join(", ")}</Untrusted> : ""],
      ]}
    />
  );
}

function Chain({ of }: { readonly of: readonly string[] }) {
  return <ol className="chain">{of.map((each) => <li key={each}><code>{each}</code></li>)}</ol>;
}

function Next({ of }: { readonly of: DecisionView }) {
  const misses = of.nearest_miss ?? [];
  return (
    <Facts
      of={[
        ["Because", <Untrusted own key="because">{of.sentence}</Untrusted>],
        ["Rule", of.rule && <code key="rule">{of.rule}</code>],
        ["Would pass if", misses.length ? misses.map((miss, place) => <Miss key={place} of={miss} />) : ""],
        ["Remedy", of.remedy && <><code>{of.remedy.action}</code> {of.remedy.tell_user && <Untrusted own>{of.remedy.tell_user}</Untrusted>}</>],
        ["Approval", of.approval && <To id={of.approval} key="approval" />],
        ["Asked", of.approvers && <Untrusted own key="approvers">{of.approvers}</Untrusted>],
        ["Obligations", of.obligations?.join(", ")],
        ["Observed only", of.observed?.length ? of.observed.map((line) => <p key={line}><Untrusted own>{line}</Untrusted></p>) : ""],
        ["Break glass", of.breakglass?.join(", ")],
        ["On trial", of.otherwise && <Untrusted own key="otherwise">{of.otherwise}</Untrusted>],
      ]}
    />
  );
}
