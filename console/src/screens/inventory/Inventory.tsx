import { Checkbox, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { createColumnHelper } from "@tanstack/react-table";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useLive } from "../../api/live";
import type { Environment, FacetView, InventoryRow, Kind, State as Life } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { Empty } from "../../parts/Empty";
import { To } from "../../parts/links";
import { PagedTable } from "../../parts/PagedTable";
import { Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { CHANGED, inventoryPage, KINDS, ORDERS, tallyQuery, type Wanted } from "./data";
import { Deeds } from "./Deeds";

const PAUSE = 200; // milliseconds of rest in typing before the server is asked
const MOST = 200; // entries of one deed, as the API has it

/** What acts here, and who answers for it. */
export function Inventory() {
  const wanted = useSearch({ from: "/inventory" });
  const kind = wanted.kind ?? "agent";
  const navigate = useNavigate({ from: "/inventory" });
  const queries = useQueryClient();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  // Counting all takes longer than showing some: it is asked for once the first page is there.
  const [shown, setShown] = useState(false);
  const tally = useQuery({ ...tallyQuery(wanted), enabled: shown });
  const page = async (cursor: string) => {
    const found = await inventoryPage(wanted, cursor);
    setShown(true);
    return found;
  };
  useLive(["identity."], () => void queries.invalidateQueries({ queryKey: ["inventory"] }), { pause: 3_000 });
  const narrow = (change: Partial<Record<keyof Wanted, string | undefined>>) => {
    setChosen(new Set());
    void navigate({ search: (old) => ({ ...old, ...change }) as never, replace: true });
  };
  const toggle = useCallback((ident: string) => {
    setChosen((old) => {
      const next = new Set(old);
      if (!next.delete(ident) && next.size < MOST) next.add(ident);
      return next;
    });
  }, []);
  const columns = useColumns(CHANGED.has(kind), chosen, toggle);
  const label = KINDS.find((each) => each.value === kind)?.label ?? kind;
  return (
    <Screen title="Inventory" about="What acts here, and who answers for it" actions={<CopyAs command={kind === "agent" ? "remit agent list" : ""} request={`GET /api/v1/inventory?kind=${kind}`} />}>
      <div className="toolbar">
        <Select label="Kind" data={[...KINDS]} value={kind} allowDeselect={false} w={150} onChange={(value) => narrow({ kind: value ?? "agent", owner: undefined, state: undefined })} />
        <Sought text={wanted.text ?? ""} look={(text) => narrow({ text: text || undefined })} />
        <Choice label="State" field="state" value={wanted.state} facets={tally.data?.facets} choose={(state) => narrow({ state })} />
        <Choice label="Owner" field="owner" value={wanted.owner} facets={tally.data?.facets} choose={(owner) => narrow({ owner })} />
        <Choice label="Environment" field="environment" value={wanted.environment} facets={tally.data?.facets} choose={(environment) => narrow({ environment })} />
        <Select label="Order" data={[...ORDERS]} value={wanted.order ?? "name"} allowDeselect={false} w={165} onChange={(order) => narrow({ order: order === "name" ? undefined : (order ?? undefined) })} />
      </div>
      {chosen.size > 0 && <Deeds kind={kind} chosen={[...chosen]} done={() => setChosen(new Set())} />}
      <PagedTable
        key={JSON.stringify(wanted)}
        label={label}
        queryKey={["inventory", "list", wanted]}
        fetchPage={page}
        columns={columns}
        rowId={(row) => row.entry.id}
        foot={tally.data && <span role="status">of {tally.data.total.toLocaleString("en")}</span>}
        empty={<Nothing kind={kind} narrowed={Boolean(wanted.text || wanted.state || wanted.owner || wanted.environment)} />}
      />
    </Screen>
  );
}

function Nothing({ kind, narrowed }: { readonly kind: Kind; readonly narrowed: boolean }) {
  if (narrowed) return <Empty title="Nothing is like this">No entry of this kind has all that you look for: take one of the choices above away.</Empty>;
  return (
    <Empty title="Nothing of this kind yet" {...(kind === "agent" ? { command: "remit agent new calendar-bot" } : {})}>
      Whatever is registered appears here with its owner, purpose and state.
    </Empty>
  );
}

/** What is typed goes into the address once one rests. */
function Sought({ text, look }: { readonly text: string; readonly look: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  const rested = useDebouncedCallback(look, PAUSE);
  useEffect(() => setTyped(text), [text]);
  return (
    <TextInput
      label="Search"
      placeholder="part of a name, or an id"
      value={typed}
      maxLength={128}
      w={190}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        rested(event.currentTarget.value.trim());
      }}
    />
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly field: string;
  readonly value: string | undefined;
  readonly facets: readonly FacetView[] | undefined;
  readonly choose: (value: string | undefined) => void;
}

/** One field to narrow by: its values as the server counted them, the most frequent first. */
function Choice({ label, field, value, facets, choose }: ChoiceProps) {
  const data = (facets ?? []).filter((each) => each.field === field).map((each) => ({ value: each.value, label: `${each.name} (${each.count.toLocaleString("en")})` }));
  if (value && !data.some((each) => each.value === value)) data.unshift({ value, label: value });
  return <Select label={label} placeholder="any" clearable data={data} value={value ?? null} w={150} clearButtonProps={{ "aria-label": `Any ${label.toLowerCase()}` }} onChange={(next) => choose(next ?? undefined)} />;
}

const col = createColumnHelper<InventoryRow>();
const facts = [
  col.accessor("entry.name", { header: "Name", size: 190, cell: ({ row }) => <To id={row.original.entry.id}><Untrusted own>{row.original.entry.name}</Untrusted></To> }),
  col.accessor("entry.state", { header: "State", size: 90, cell: (cell) => <State of={cell.getValue() satisfies Life} /> }),
  col.accessor("owner_name", { header: "Owner", size: 165, cell: (cell) => <Untrusted own>{cell.getValue() || "none"}</Untrusted> }),
  col.accessor("entry.environment", { header: "Environment", size: 110, cell: (cell) => (cell.getValue() satisfies Environment | null | undefined) ?? "" }),
  col.accessor("entry.purpose", { header: "Purpose", size: 150, cell: (cell) => (cell.getValue() ? <Untrusted own>{cell.getValue()}</Untrusted> : "") }),
  col.accessor("last_decided", { header: "Last call", size: 110, cell: (cell) => <When at={cell.getValue()} brief /> }),
  col.accessor("entry.changed_at", { header: "Changed", size: 110, cell: (cell) => <When at={cell.getValue()} brief /> }),
];

function useColumns(choosing: boolean, chosen: ReadonlySet<string>, toggle: (ident: string) => void) {
  return useMemo(() => {
    if (!choosing) return facts;
    const box = col.display({
      id: "chosen",
      size: 36,
      header: () => <span className="unseen">Chosen</span>,
      cell: ({ row }) => <Checkbox size="xs" aria-label={`Choose ${row.original.entry.name}`} checked={chosen.has(row.original.entry.id)} onChange={() => toggle(row.original.entry.id)} />,
    });
    return [box, ...facts];
  }, [choosing, chosen, toggle]);
}
