import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Effect } from "../../parts/Effect";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { Panel } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { since, useRange } from "../../shell/range";
import { replay } from "./data";

const MONTH = 30 * 86_400_000;

/** What the draft would have answered to decisions that were made: each row opens one of them. */
export function Replay({ text }: { readonly text: string }) {
  const range = useRange();
  const run = useMutation({ mutationFn: () => replay(text, since(range) ?? new Date(Date.now() - MONTH).toISOString()) });
  const found = run.data;
  return (
    <Panel title="What it would have answered">
      <p><Button variant="default" loading={run.isPending} disabled={!text.trim()} onClick={() => run.mutate()}>Replay {range === "all" ? "the last 30 days" : "the chosen time"}</Button></p>
      {run.isError && <Failed error={run.error} />}
      {found && (
        <div role="status" className="stack">
          <p><strong>{found.changed.toLocaleString("en")}</strong> of {found.total.toLocaleString("en")} decisions would be others, {found.same.toLocaleString("en")} the same{found.more && "; older ones were not looked at"}</p>
          {found.lost.map((each) => <p key={each.why} className="soft">{each.count} could not be made again: {each.why}</p>)}
          <ul className="stages">
            {found.rows.map((row) => (
              <li key={`${row.before} ${row.after} ${row.agent}`}>
                <span><Effect of={row.before} /> → <Effect of={row.after} /></span>
                <span>{row.count}×</span>
                <span>
                  <Untrusted own>{row.agent}</Untrusted>: <Untrusted own>{row.largest.action}</Untrusted> on <Untrusted>{row.largest.resource}</Untrusted>{" "}
                  {row.largest.rule && <>by <code>{row.largest.rule}</code></>} {row.largest.money} <To id={row.largest.decision} />
                </span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Panel>
  );
}
