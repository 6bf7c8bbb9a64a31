import type { PrincipalView } from "../../api/schema";
import { Panel } from "../../parts/Screen";
import { Behaviour, Drift, RiskOf } from "./Behaviour";
import { Access, Tasks } from "./Standing";

/** What an agent may do, does, and how risky that is: each part asks for itself, so that one's failure is its own. */
export function Profile({ agent }: { readonly agent: PrincipalView }) {
  return (
    <>
      <Panel title="Effective access" flush><Access ident={agent.id} /></Panel>
      <div className="columns">
        <Panel title="Behaviour"><Behaviour ident={agent.id} /></Panel>
        <div className="stack">
          <Panel title="Risk"><RiskOf agent={agent.id} /></Panel>
          {agent.blueprint && <Panel title="Drift from its blueprint"><Drift ident={agent.id} /></Panel>}
          <Panel title="Tasks that run"><Tasks ident={agent.id} /></Panel>
        </div>
      </div>
    </>
  );
}
