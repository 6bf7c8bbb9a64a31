import { Select } from "@mantine/core";
import { createColumnHelper } from "@tanstack/react-table";
import { useState } from "react";
import { api, body } from "../../api/client";
import type { PrincipalView, State as Life } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { Empty } from "../../parts/Empty";
import { To } from "../../parts/links";
import { PagedTable } from "../../parts/PagedTable";
import { Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";

const col = createColumnHelper<PrincipalView>();
const columns = [
  col.accessor("name", { header: "Agent", size: 200, cell: ({ row }) => <To id={row.original.id}><Untrusted own>{row.original.name}</Untrusted></To> }),
  col.accessor("state", { header: "State", size: 90, cell: (cell) => <State of={cell.getValue()} /> }),
  col.accessor("owner", { header: "Owner", size: 180, cell: (cell) => <To id={cell.getValue() ?? ""} /> }),
  col.accessor("purpose", { header: "Purpose", size: 220, cell: (cell) => <Untrusted own>{cell.getValue()}</Untrusted> }),
  col.accessor("changed_at", { header: "Changed", size: 170, cell: (cell) => <When at={cell.getValue()} brief /> }),
];

const STATES: readonly Life[] = ["active", "draft", "suspended", "retired"];

/** Every agent of the house, by id. */
export function Agents() {
  const [state, setState] = useState<Life | null>(null);
  const query = state ? { state } : {};
  return (
    <Screen title="Agents" about="Who acts here, and who answers for it" actions={<CopyAs command="remit agent list" request="GET /api/v1/agents" />}>
      <div className="toolbar">
        <Select label="State" placeholder="any" clearable data={[...STATES]} value={state} onChange={(value) => setState(value as Life | null)} />
      </div>
      <PagedTable
        label="Agents"
        queryKey={["agents", "list", query]}
        fetchPage={(cursor) => body(api.GET("/api/v1/agents", { params: { query: { ...query, cursor, limit: 100 } } }))}
        columns={columns}
        rowId={(row) => row.id}
        empty={<Empty title="No agents" command="remit agent new calendar-bot">Each agent that is registered appears here, with its owner, purpose and state.</Empty>}
      />
    </Screen>
  );
}
