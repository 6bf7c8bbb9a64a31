import { useSuspenseQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { CopyAs } from "../../parts/Copy";
import { To } from "../../parts/links";
import { Facts, Panel, Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { recordQuery } from "./data";
import { Prove } from "./Prove";

const IDENT = /^[a-z]{3,4}_[0-9A-Z]{36}$/;
const DIGEST = /^[0-9a-f]{64}$/;
const SKIPPED = new Set(["id", "at", "kind", "tenant"]);

/** One record, whole, and its proof. */
export function LedgerRecord() {
  const { record: ident } = useParams({ from: "/ledger/$record" });
  const { data: found } = useSuspenseQuery(recordQuery(ident));
  const { record } = found;
  const members = Object.entries(record).filter(([name, value]) => !SKIPPED.has(name) && value !== "" && value !== 0 && !(Array.isArray(value) && value.length === 0));
  return (
    <Screen title={`Record ${ident}`} heading={<code>{record.kind}</code>} about={<><When at={record.at} /> · record {found.index} of log {found.shard}</>} actions={<CopyAs command={`remit ledger receipt ${ident}`} request={`GET /api/v1/ledger/records/${ident}`} />}>
      <div className="columns">
        <Panel title="What it says">
          <Facts of={members.map(([name, value]) => [name.replaceAll("_", " "), <Value key={name} of={value} />] as const)} />
        </Panel>
        <Panel title="Proof, checked in this browser"><Prove record={ident} /></Panel>
      </div>
    </Screen>
  );
}

/** A name and what it stands for, as digests and details are kept. */
function isPair(of: unknown): of is [string, string] {
  return Array.isArray(of) && of.length === 2 && /^[a-z_/]+$/.test(String(of[0])) && !IDENT.test(String(of[1]));
}

function Value({ of }: { readonly of: unknown }) {
  if (isPair(of)) return <>{of[0]} <Value of={of[1]} /></>;
  if (Array.isArray(of)) return <ul>{of.map((each, place) => <li key={place}><Value of={each} /></li>)}</ul>;
  const text = String(of);
  if (DIGEST.test(text)) return <code>{text}</code>;
  return IDENT.test(text) ? <To id={text} /> : <Untrusted own>{text}</Untrusted>;
}
