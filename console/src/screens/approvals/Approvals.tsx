import { Button, SegmentedControl } from "@mantine/core";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { createColumnHelper } from "@tanstack/react-table";
import { useLive } from "../../api/live";
import { seesAll } from "../../shell/nav";
import { useMe } from "../../api/me";
import type { ApprovalLine, ApprovalState } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { Empty } from "../../parts/Empty";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { PagedTable } from "../../parts/PagedTable";
import { Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { InboxCard } from "./AskCard";
import { approvalPage, HISTORY, inboxPage } from "./data";

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
      {view === "mine" ? <Mine /> : <List key={view} state={past ?? "pending"} mine={!seesAll(me)} />}
    </Screen>
  );
}

/** My own cards, in the server's order: what can't be undone first, then what ends first. */
function Mine() {
  const query = useInfiniteQuery({
    queryKey: ["approvals", "inbox"],
    queryFn: ({ pageParam }) => inboxPage(pageParam),
    initialPageParam: "",
    getNextPageParam: (last) => last.next || undefined,
  });
  if (query.isError) return <Failed error={query.error} again={() => void query.refetch()} />;
  if (query.isPending) return <p role="status" className="soft">loading</p>;
  const cards = query.data.pages.flatMap((page) => page.items);
  if (cards.length === 0) return <Nobody />;
  return (
    <>
      <ul className="asks">{cards.map((each) => <li key={each.digest}><InboxCard of={each} /></li>)}</ul>
      {query.hasNextPage && <Button mt="md" variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>More cards</Button>}
    </>
  );
}

function Nobody() {
  return (
    <div className="panel">
      <Empty title="Nothing waits for you" command="remit approval list">When a rule wants a person's yes, the question appears here and under its own address, with what it would do and until when.</Empty>
    </div>
  );
}

const col = createColumnHelper<ApprovalLine>();
const columns = [
  col.accessor("requested_at", { header: "Asked (UTC)", size: 130, cell: ({ row }) => <To id={row.original.id}><When at={row.original.requested_at} brief /></To> }),
  col.accessor("state", { header: "Answer", size: 90, cell: (cell) => <State of={cell.getValue()} /> }),
  col.accessor("expires_at", { header: "Until (UTC)", size: 100, cell: (cell) => <When at={cell.getValue()} brief /> }),
  col.accessor("decided_by", { header: "By", size: 150, cell: (cell) => <To id={cell.getValue()} /> }),
  col.accessor("agent_name", { header: "Agent", size: 140, cell: ({ row }) => <To id={row.original.agent}><Untrusted own>{row.original.agent_name}</Untrusted></To> }),
  col.accessor("action", { header: "Action", size: 160, cell: (cell) => <Untrusted own>{cell.getValue()}</Untrusted> }),
  col.accessor("resource", { header: "Resource", size: 150, cell: (cell) => <Untrusted>{cell.getValue()}</Untrusted> }),
  col.accessor("rule", { header: "Rule", size: 130, cell: (cell) => <code>{cell.getValue()}</code> }),
];

function List({ state, mine }: { readonly state: ApprovalState; readonly mine: boolean }) {
  return (
    <PagedTable
      label={`Asks: ${state}`}
      queryKey={["approvals", "list", state, mine]}
      fetchPage={(cursor) => approvalPage({ state, mine }, cursor, 100)}
      columns={columns}
      rowId={(row) => row.id}
      empty={<Empty title={`No ask is ${state}`}>Each ask stays here with its answer, who gave it, and for what it was used.</Empty>}
    />
  );
}
