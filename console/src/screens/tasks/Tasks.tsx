import { useQueryClient } from "@tanstack/react-query";
import { createColumnHelper } from "@tanstack/react-table";
import { useLive } from "../../api/live";
import type { TaskView } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { Empty } from "../../parts/Empty";
import { To } from "../../parts/links";
import { PagedTable } from "../../parts/PagedTable";
import { Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { taskPage } from "./data";

const col = createColumnHelper<TaskView>();
const columns = [
  col.accessor("purpose", { header: "Purpose", size: 200, cell: ({ row }) => <To id={row.original.id}><Untrusted>{row.original.purpose}</Untrusted></To> }),
  col.accessor("state", { header: "State", size: 90, cell: (cell) => <State of={cell.getValue()} /> }),
  col.accessor("user", { header: "For", size: 200, cell: ({ row }) => <To id={row.original.user || row.original.trigger} /> }),
  col.accessor("agent", { header: "Agent", size: 200, cell: (cell) => <To id={cell.getValue()} /> }),
  col.accessor("started_at", { header: "Started", size: 150, cell: (cell) => <When at={cell.getValue()} brief /> }),
  col.accessor("deadline", { header: "Until", size: 150, cell: (cell) => <When at={cell.getValue()} brief /> }),
];

/** Who asked what of whom. */
export function Tasks() {
  const queries = useQueryClient();
  useLive(["authority.task"], () => void queries.invalidateQueries({ queryKey: ["tasks", "list"] }));
  return (
    <Screen title="Tasks" about="Who asked what of whom, through which agents" actions={<CopyAs command="remit task list" request="GET /api/v1/tasks" />}>
      <PagedTable
        label="Tasks"
        queryKey={["tasks", "list"]}
        fetchPage={taskPage}
        columns={columns}
        rowId={(row) => row.id}
        empty={<Empty title="No task yet" command="remit task start calendar-bot">Each task that a person or a trigger starts appears here with its chain of agents.</Empty>}
      />
    </Screen>
  );
}
