import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Navigate } from "@tanstack/react-router";
import { useState } from "react";
import { useLive } from "../../api/live";
import { useMe } from "../../api/me";
import { CopyAs } from "../../parts/Copy";
import { Empty } from "../../parts/Empty";
import { PagedTable } from "../../parts/PagedTable";
import { Screen } from "../../parts/Screen";
import { rangeChoices, since, useRange } from "../../shell/range";
import { approvalPage, inboxPage } from "../approvals/data";
import { decisionColumns, decisionPage } from "../decisions/data";

const MOST = 200; // the longest page of the API: what is more is said as "200+"

/** Where one arrives: whoever may see only what is theirs is led to what waits for them. */
export function Overview() {
  return useMe().sees_all ? <Everything /> : <Navigate to="/approvals" replace />;
}

/** What happens now: what waits for people, what was refused, and every decision as it is made. */
function Everything() {
  const range = useRange();
  const queries = useQueryClient();
  const [paused, setPaused] = useState(false);
  useLive(["decision.action", "oversight."], () => void queries.invalidateQueries({ queryKey: ["overview"] }), { off: paused });
  const said = rangeChoices.find((each) => each.value === range)?.label ?? "";
  const count = (key: string, ask: () => Promise<{ items: readonly unknown[]; next?: string }>) => ({
    queryKey: ["overview", key, range],
    queryFn: async () => {
      const page = await ask();
      return page.next ? `${page.items.length}+` : String(page.items.length);
    },
  });
  const waiting = useQuery(count("waiting", () => approvalPage({ state: "pending" }, "", MOST)));
  const mine = useQuery(count("mine", () => inboxPage("")));
  const denied = useQuery(count("denied", () => decisionPage({ effect: "deny", since: since(range) }, "", MOST)));
  const asked = useQuery(count("asked", () => decisionPage({ effect: "ask", since: since(range) }, "", MOST)));
  return (
    <Screen title="Overview" about={`What agents do, and what waits for people, ${said}`} actions={<CopyAs command="remit ledger follow --kind decision" request="GET /api/v1/stream" />}>
      <div className="stack">
        <div className="figures">
          <Link className="panel figure" to="/approvals" search={{ state: "mine" }}><b>{mine.data ?? "–"}</b>wait for you</Link>
          <Link className="panel figure" to="/approvals" search={{ state: "pending" }}><b>{waiting.data ?? "–"}</b>wait for anyone</Link>
          <Link className="panel figure" to="/decisions" search={{ effect: "ask" }}><b>{asked.data ?? "–"}</b>put to a person</Link>
          <Link className="panel figure" to="/decisions" search={{ effect: "deny" }}><b>{denied.data ?? "–"}</b>denied</Link>
        </div>
        <div className="split">
          <h2>Decisions as they are made</h2>
          <Button variant="default" aria-pressed={paused} onClick={() => setPaused(!paused)}>{paused ? "Follow again" : "Pause"}</Button>
        </div>
        <PagedTable
          label="Decisions as they are made"
          queryKey={["overview", "decisions", range]}
          fetchPage={(cursor) => decisionPage({ since: since(range) }, cursor, 50)}
          columns={decisionColumns}
          rowId={(row) => row.id}
          empty={<Empty title="Nothing decided yet" command="remit up --demo">Each call of an agent appears here at the moment it is decided: who asked, for whom, what, and the verdict.</Empty>}
        />
      </div>
    </Screen>
  );
}
