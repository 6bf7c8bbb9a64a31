import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { AgentStanding, AllowedView, RightUseView } from "../../api/schema";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { Right, Rights } from "../../parts/Rights";
import { Facts, Panel } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { accessQuery, standingQuery } from "./data";

const SPANS = [{ value: "30", label: "30 days" }, { value: "90", label: "90 days" }];

/** Effective access: what all standing ceilings leave, each right with who let it and whether it is used. */
export function Access({ ident }: { readonly ident: string }) {
  const [days, setDays] = useState("30");
  const standing = useQuery(standingQuery(ident));
  const used = useQuery(accessQuery(ident, Number(days)));
  if (standing.isError) return <Failed error={standing.error} />;
  if (!standing.data) return <p role="status" className="panel-body soft">loading</p>;
  return (
    <div className="panel-body stack">
      <div className="split">
        <span>Task, hops, token and policy narrow this further at each call.</span>
        <Select aria-label="Use within" data={SPANS} value={days} allowDeselect={false} w={120} onChange={(value) => setDays(value ?? "30")} />
      </div>
      {standing.data.allowed.length === 0 && <p><strong>It may do nothing:</strong> one of its ceilings is absent or empty.</p>}
      <ul className="stages">
        {standing.data.allowed.map((each) => (
          <li key={JSON.stringify(each.right)}>
            <Use of={use(used.data?.rights, each)} />
            <span>{each.grants.length} {each.grants.length === 1 ? "consent" : "consents"}</span>
            <span><Right of={each.right} /></span>
          </li>
        ))}
      </ul>
      <Factors of={standing.data} />
    </div>
  );
}

function use(found: readonly RightUseView[] | undefined, allowed: AllowedView): RightUseView | undefined {
  return found?.find((each) => each.right.action === allowed.right.action && each.right.resource_type === allowed.right.resource_type);
}

function Use({ of }: { readonly of: RightUseView | undefined }) {
  if (!of) return <span className="soft">…</span>;
  const kind = of.verdict === "used" || of.verdict === "periodic" ? "permit" : "ask";
  return <span><span className={`tag tag-${kind}`}>{of.verdict}</span> {of.uses > 0 && <span className="soft">{of.uses}×</span>}</span>;
}

function Factors({ of }: { readonly of: AgentStanding }) {
  return (
    <>
      <h3>The factors</h3>
      <Facts
        of={[
          ...of.factors.map((each) => [each.name, <span key={each.name}>{each.ceiling.rights.length} rights until <When at={each.ceiling.end} />, {each.ceiling.depth} hops, for <Untrusted own>{each.ceiling.purpose || "no purpose"}</Untrusted>{each.ceiling.calls != null && <>, {each.ceiling.calls} calls</>}</span>] as const),
          ["Consents", of.consents.length === 0 ? "nobody has let it act for them" : ""],
        ]}
      />
      {of.consents.map((each) => (
        <details key={each.grant}>
          <summary><Untrusted own>{each.user_name}</Untrusted>, since <When at={each.given_at} brief /> <To id={each.grant} /></summary>
          <Rights of={each.effective} />
        </details>
      ))}
      {of.more_consents && <p className="soft">and more: only the newest are shown</p>}
    </>
  );
}

/** What it works on now. */
export function Tasks({ ident }: { readonly ident: string }) {
  const { data, error } = useQuery(standingQuery(ident));
  if (error) return <Failed error={error} />;
  if (!data) return <p role="status" className="soft">loading</p>;
  if (data.tasks.length === 0) return <p className="soft">no task runs: the next one that somebody asks of it appears here</p>;
  return (
    <Panel flush>
      <ul className="stages">
        {data.tasks.map((each) => (
          <li key={each.id}><To id={each.id}><Untrusted>{each.purpose}</Untrusted></To><span>{each.mode}</span><span>for <To id={each.user || each.trigger} />, until <When at={each.deadline} brief /></span></li>
        ))}
      </ul>
      {data.more_tasks && <p className="panel-body soft">and more: only the oldest are shown</p>}
    </Panel>
  );
}
