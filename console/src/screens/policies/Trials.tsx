import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { lazy } from "react";
import { Failed } from "../../parts/Failed";
import { Panel } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { test } from "./data";

const Editor = lazy(() => import("./Editor").then((found) => ({ default: found.Editor })));

interface Props {
  readonly text: string;
  readonly scenarios: string;
  readonly change: (text: string) => void;
}

/** Scenarios judged on this installation's own directory; nothing is stored. */
export function Trials({ text, scenarios, change }: Props) {
  const run = useMutation({ mutationFn: () => test(text, scenarios) });
  return (
    <Panel title="Scenarios that must hold">
      <div className="stack">
        <Editor label="Scenarios in YAML" text={scenarios} change={change} />
        <div><Button variant="default" loading={run.isPending} disabled={!text.trim()} onClick={() => run.mutate()}>Run them</Button></div>
        {run.isError && <Failed error={run.error} />}
        {run.data && (
          <div role="status">
            <p>{run.data.good ? <span className="tag tag-permit">all hold</span> : <span className="tag tag-deny">some do not hold</span>} {run.data.results.length} judged</p>
            <ul className="stages">
              {run.data.results.map((each) => (
                <li key={`${each.line} ${each.name}`}>
                  <span>{each.passed ? <span className="tag tag-permit">holds</span> : <span className="tag tag-deny">fails</span>}</span>
                  <span>line {each.line}</span>
                  <span><Untrusted own>{each.name}</Untrusted>: wanted {each.wanted}, found {each.found} {each.rules.length > 0 && <code>{each.rules.join(", ")}</code>} {each.faults.map((fault) => <p key={fault}><Untrusted own>{fault}</Untrusted></p>)}</span>
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </Panel>
  );
}
