import { useQuery } from "@tanstack/react-query";
import { Refused, api, body } from "../../api/client";
import { Copy } from "../../parts/Copy";
import { Failed } from "../../parts/Failed";
import { When } from "../../parts/When";

const DECIDED = "decision.action.decided";

/** The record of a decision, and its receipt: what proves offline that it is in the log. */
export function Proof({ decision }: { readonly decision: string }) {
  const records = useQuery({
    queryKey: ["ledger", "mentions", decision],
    queryFn: () => body(api.GET("/api/v1/ledger/records", { params: { query: { mentions: decision } } })),
  });
  const record = records.data?.find((each) => each.record.kind === DECIDED && each.record.decision === decision);
  const ident = record?.record.id ?? "";
  const receipt = useQuery({
    queryKey: ["ledger", "receipt", ident],
    enabled: ident !== "",
    queryFn: () => body(api.GET("/api/v1/ledger/records/{record}/receipt", { params: { path: { record: ident } } })),
    // The head that covers a fresh record is signed a moment later.
    refetchInterval: (query) => (query.state.error instanceof Refused && query.state.error.problem.code === "record_not_found" ? 3_000 : false),
  });
  if (records.isError) return <Failed error={records.error} />;
  if (records.isPending) return <p role="status" className="soft">loading</p>;
  return (
    <>
      <ul>
        {records.data.map(({ index, shard, record: each }) => (
          <li key={each.id}>
            <code>{each.kind}</code> <When at={each.at} brief /> <span className="soft">record {index} of log {shard}</span>
          </li>
        ))}
      </ul>
      {receipt.data ? (
        <>
          <p className="split"><span>Receipt</span><Copy text={receipt.data.receipt} label="Copy receipt" /></p>
          <pre className="receipt mono" tabIndex={0} aria-label="Receipt">{receipt.data.receipt}</pre>
        </>
      ) : (
        <p className="soft" role="status">the receipt comes with the next signed head of the log</p>
      )}
    </>
  );
}
