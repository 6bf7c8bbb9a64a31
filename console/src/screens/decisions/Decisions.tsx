import { Button, Select, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useLive } from "../../api/live";
import type { Effect as Verdict } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { Empty } from "../../parts/Empty";
import { PagedTable } from "../../parts/PagedTable";
import { Screen } from "../../parts/Screen";
import { since, useRange } from "../../shell/range";
import { decisionColumns, decisionPage, EFFECTS } from "./data";

/** Everything that was decided, newest first, as it happens. */
export function Decisions() {
  const range = useRange();
  const search = useSearch({ from: "/decisions" });
  const navigate = useNavigate({ from: "/decisions" });
  const queries = useQueryClient();
  const [paused, setPaused] = useState(false);
  const effect = EFFECTS.find((each) => each === search.effect);
  const wanted = { ...(effect ? { effect } : {}), ...(search.agent ? { agent: search.agent } : {}), since: since(range) };
  const key = ["decisions", "list", effect ?? "", search.agent ?? "", range];
  useLive(["decision.action"], () => void queries.invalidateQueries({ queryKey: key }), { off: paused });
  const narrow = (next: { effect?: Verdict | undefined; agent?: string | undefined }) =>
    void navigate({ search: (old) => ({ ...old, ...next }) as typeof old, replace: true });
  return (
    <Screen
      title="Decisions"
      about="What agents asked to do, and what they were answered"
      actions={<CopyAs command={`remit decision list${effect ? ` --effect ${effect}` : ""}`} request="GET /api/v1/decisions" />}
    >
      <div className="toolbar">
        <Select label="Verdict" placeholder="any" clearable data={EFFECTS.map((value) => ({ value, label: value.replace("_", " ") }))} value={effect ?? null} onChange={(value) => narrow({ effect: (value as Verdict | null) ?? undefined })} />
        <TextInput label="Agent, by id" placeholder="agt_…" defaultValue={search.agent ?? ""} onKeyDown={(event) => event.key === "Enter" && narrow({ agent: event.currentTarget.value.trim() || undefined })} onBlur={(event) => narrow({ agent: event.currentTarget.value.trim() || undefined })} />
        <Button variant="default" aria-pressed={paused} onClick={() => setPaused(!paused)}>{paused ? "Follow again" : "Pause"}</Button>
      </div>
      <PagedTable
        label="Decisions"
        queryKey={key}
        fetchPage={(cursor) => decisionPage(wanted, cursor, 100)}
        columns={decisionColumns}
        rowId={(row) => row.id}
        empty={<Empty title="Nothing decided in this time" command="remit up --demo">Each call of an agent appears here at the moment it is decided. A wider time range may show earlier ones.</Empty>}
      />
    </Screen>
  );
}
