import { Button, SegmentedControl } from "@mantine/core";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { createColumnHelper } from "@tanstack/react-table";
import { useLive } from "../../api/live";
import { seesAll } from "../../shell/nav";
import { useMe } from "../../api/me";
import type { ApprovalLine } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { Empty } from "../../parts/Empty";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { PagedTable } from "../../parts/PagedTable";
import { Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { AskCard } from "./AskCard";
import { approvalPage, HISTORY } from "./data";

const VIEWS = [
  { value: "mine", label: "Waiting for me" },
  { value: "pending", label: "Waiting for anyone" },
  ...HISTORY.map((value) => ({ value, label: value[0]?.toUpperCase() + value.slice(1) })),
];

/** What waits for a person, and what people answered. */
export function Approvals() {
  const me = useMe();
  const { state } = useSearch({ from: "/approvals" });
  const navigate = useNavigate({ from: "/approvals" });
  const queries = useQueryClient();
  useLive(["oversight.approval"], () => void queries.invalidateQueries({ queryKey: ["approvals"] }));
  const view = VIEWS.find((each) => each.value === state)?.value ?? "mine";
  const past = HISTORY.find((each) => each === view);
  const views = seesAll(me) ? VIEWS : VIEWS.filter((each) => each.value !== "pending");
  return (
    <Screen title="Approvals" about="Questions that agents' calls put to people" actions={<CopyAs command="remit approval list" request="GET /api/v1/approvals" />}>
      <div className="toolbar">
        <SegmentedControl aria-label="Which asks" data={views} value={view} onChange={(value) => void navigate({ search: (old) => ({ ...old, state: value }) })} />
      </div>
      {past ? <History state={past} mine={!seesAll(me)} /> : <Waiting mine={view === "mine"} />}
    </Screen>
  );
}

/** Cards, the one that ends first before the others. */
function Waiting({ mine }: { readonly mine: boolean }) {
  const query = useInfiniteQuery({
    queryKey: ["approvals", "waiting", mine],
    queryFn: ({ pageParam }) => approvalPage({ state: "pending", mine }, pageParam, 100),
    initialPageParam: "",
    getNextPageParam: (last) => last.next || undefined,
  });
  if (query.isError) return <Failed error={query.error} again={() => void query.refetch()} />;
  if (query.isPending) return <p role="status" className="soft">loading</p>;
  const asks = query.data.pages.flatMap((page) => page.items).sort((a, b) => a.expires_at.localeCompare(b.expires_at));
  if (asks.length === 0) {
    return (
      <div className="panel">
        <Empty title="Nobody waits for you" command="remit approval list">When a rule wants a person's yes, the question appears here and under its own address, with what it would do and until when.</Empty>
      </div>
    );
  }
  return (
    <>
      <ul className="asks">{asks.map((each) => <li key={each.id}><AskCard of={each} mine={mine} /></li>)}</ul>
      {query.hasNextPage && <Button mt="md" variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>More asks</Button>}
    </>
  );
}

const col = createColumnHelper<ApprovalLine>();
const columns = [
  col.accessor("requested_at", { header: "Asked (UTC)", size: 130, cell: ({ row }) => <To id={row.original.id}><When at={row.original.requested_at} brief /></To> }),
  col.accessor("state", { header: "Answer", size: 90, cell: (cell) => <State of={cell.getValue()} /> }),
  col.accessor("decided_by", { header: "By", size: 150, cell: (cell) => <To id={cell.getValue()} /> }),
  col.accessor("agent_name", { header: "Agent", size: 140, cell: ({ row }) => <To id={row.original.agent}><Untrusted own>{row.original.agent_name}</Untrusted></To> }),
  col.accessor("action", { header: "Action", size: 160, cell: (cell) => <Untrusted own>{cell.getValue()}</Untrusted> }),
  col.accessor("resource", { header: "Resource", size: 150, cell: (cell) => <Untrusted>{cell.getValue()}</Untrusted> }),
  col.accessor("rule", { header: "Rule", size: 130, cell: (cell) => <code>{cell.getValue()}</code> }),
];

function History({ state, mine }: { readonly state: (typeof HISTORY)[number]; readonly mine: boolean }) {
  return (
    <PagedTable
      label={`Asks that were ${state}`}
      queryKey={["approvals", "history", state, mine]}
      fetchPage={(cursor) => approvalPage({ state, mine }, cursor, 100)}
      columns={columns}
      rowId={(row) => row.id}
      empty={<Empty title={`No ask was ${state}`}>Each answer stays here, with who gave it and for what it was used.</Empty>}
    />
  );
}
