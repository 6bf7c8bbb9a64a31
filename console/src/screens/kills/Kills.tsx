import { useQueryClient } from "@tanstack/react-query";
import { createColumnHelper } from "@tanstack/react-table";
import { useLive } from "../../api/live";
import { api, body } from "../../api/client";
import type { KillView } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { Empty } from "../../parts/Empty";
import { To } from "../../parts/links";
import { PagedTable } from "../../parts/PagedTable";
import { Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { Trigger } from "./Trigger";

const col = createColumnHelper<KillView>();
const columns = [
  col.accessor("at", { header: "When (UTC)", size: 130, cell: ({ row }) => <To id={row.original.id}><When at={row.original.at} brief /></To> }),
  col.accessor("state", { header: "State", size: 80, cell: (cell) => <State of={cell.getValue()} /> }),
  col.accessor("stopped", { header: "Stopped", size: 220, cell: ({ row }) => <>{row.original.stopped.kind} <Untrusted own>{row.original.stopped.name || row.original.stopped.target}</Untrusted></> }),
  col.accessor("reason", { header: "Reason", size: 240, cell: (cell) => <Untrusted own>{cell.getValue()}</Untrusted> }),
  col.accessor("by", { header: "By", size: 180, cell: (cell) => <To id={cell.getValue()} /> }),
];

/** The kill switch, and every kill there was. */
export function Kills() {
  const queries = useQueryClient();
  useLive(["oversight.kill"], () => void queries.invalidateQueries({ queryKey: ["kills", "list"] }));
  return (
    <Screen title="Kill switch" about="Stops a thing and all that descends from it, on every plane at once" actions={<CopyAs command="remit kill --list" request="GET /api/v1/kills" />}>
      <div className="stack">
        <Trigger />
        <PagedTable
          label="Kills"
          queryKey={["kills", "list"]}
          fetchPage={(cursor) => body(api.GET("/api/v1/kills", { params: { query: { cursor, limit: 50 } } }))}
          columns={columns}
          rowId={(row) => row.id}
          empty={<Empty title="Nothing was ever stopped here" command="remit kill agent calendar-bot --reason drill">Each kill stays here with the time that every plane took to confirm it.</Empty>}
        />
      </div>
    </Screen>
  );
}
