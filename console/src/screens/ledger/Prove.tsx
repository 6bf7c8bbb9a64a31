import { Button, FileInput, Textarea } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Copy } from "../../parts/Copy";
import { Failed } from "../../parts/Failed";
import { Facts } from "../../parts/Screen";
import { headQuery, receiptOf } from "./data";
import { parseKey, type Proven, Rejected, verify } from "./receipt";

/**
 * The inclusion proof of one record, worked out here: the server is believed for nothing but the keys, and not
 * even for those where somebody pastes the ones that they kept.
 */
export function Prove({ record }: { readonly record: string }) {
  const head = useQuery(headQuery);
  const [kept, setKept] = useState("");
  const [file, setFile] = useState<File | null>(null);
  const prove = useMutation({ mutationFn: () => proven(record, kept || (head.data?.keys.join("\n") ?? ""), file) });
  return (
    <div className="stack">
      <p>The receipt holds the record's bytes, its path to the root, and a signed head. This browser hashes the one up to the other and checks the signature.</p>
      <Textarea
        label="Keys that you trust"
        description="From the last export or another administrator; without any, those that this server names are taken, which proves that the log agrees with itself"
        placeholder={head.data?.keys.join("\n") ?? ""}
        autosize
        minRows={2}
        maxRows={6}
        value={kept}
        onChange={(event) => setKept(event.currentTarget.value)}
      />
      <FileInput label="A receipt that you kept, instead of a fresh one" clearable value={file} onChange={setFile} placeholder="choose a file" />
      <div><Button onClick={() => prove.mutate()} loading={prove.isPending} disabled={!head.data && !kept}>Check the proof</Button></div>
      {prove.data && <Result of={prove.data} kept={Boolean(kept)} />}
      {prove.error && <Refusal of={prove.error} />}
    </div>
  );
}

interface Checked {
  readonly found: Proven;
  readonly text: string;
}

async function proven(record: string, keys: string, file: File | null): Promise<Checked> {
  const text = file ? await file.text() : (await receiptOf(record)).receipt;
  const trusted = await Promise.all(keys.split("\n").filter((line) => line.trim()).map(parseKey));
  const found = await verify(text, trusted);
  if ((found.record as { id?: unknown }).id !== record) throw new Rejected(4, "this receipt is of another record");
  return { found, text };
}

function Result({ of: { found, text }, kept }: { readonly of: Checked; readonly kept: boolean }) {
  return (
    <div role="status">
      <p><span className="tag tag-permit">proven</span> The record stands in the log{kept ? ", by keys that you gave." : ", by the keys that this server names."}</p>
      <Facts
        of={[
          ["Log", found.origin],
          ["Record", `${found.index} of ${found.size}`],
          ["Root", <code key="root">{found.root}</code>],
          ["Signed by", found.signers.join(", ")],
          ["Receipt", <Copy key="copy" text={text} label="Copy receipt" />],
        ]}
      />
    </div>
  );
}

function Refusal({ of }: { readonly of: Error }) {
  if (of instanceof Rejected) {
    return <section className="failed" role="alert"><h2>This proves nothing</h2><p>{of.message}</p><p className="soft">step {of.step} of 4</p></section>;
  }
  if (of instanceof DOMException && of.name === "NotSupportedError") {
    return <section className="failed" role="alert"><h2>This browser can't check it</h2><p>It knows no Ed25519 signatures. Save the receipt and check it elsewhere.</p><p>next: <code>remit ledger verify RECEIPT --key KEYS</code></p></section>;
  }
  return <Failed error={of} />;
}
