import { Button, Tabs } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { api, body } from "../../api/client";
import { useMe } from "../../api/me";
import type { FaultView, PolicyView } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { Failed } from "../../parts/Failed";
import { Panel, Screen } from "../../parts/Screen";
import { say } from "../../parts/toasts";
import { Untrusted } from "../../parts/Untrusted";
import { check, currentQuery, EXAMPLE, inForce } from "./data";
import { Replay } from "./Replay";
import { Trials } from "./Trials";
import { Versions } from "./Versions";

const Editor = lazy(() => import("./Editor").then((found) => ({ default: found.Editor })));

/** What if this changed? Edit, see what is wrong, test, replay what was decided, and only then publish. */
export function Policies() {
  const current = useQuery(currentQuery);
  if (current.isPending) return <Screen title="Policy"><p role="status">loading</p></Screen>;
  return <Playground current={current.data} />;
}

function Playground({ current }: { readonly current: PolicyView | undefined }) {
  const [text, setText] = useState(current?.text ?? "");
  // A new version is what is edited from then on; the part that is open stays open.
  useEffect(() => setText(current?.text ?? ""), [current?.version, current?.text]);
  const [scenarios, setScenarios] = useState(EXAMPLE);
  const [found, setFound] = useState<readonly FaultView[]>();
  const changed = text !== (current?.text ?? "");
  const faults = useCallback(async (draft: string) => {
    setFound(undefined);
    const told = draft.trim() ? (await check(draft)).faults : [];
    setFound(told);
    return told;
  }, []);
  return (
    <Screen
      title="Policy"
      about={current ? <>version {current.version} is in force{changed && <>; this draft is not <span className="tag tag-ask">draft</span></>}</> : "no policy is in force: everything is denied"}
      actions={<CopyAs command="remit policy show" request="GET /api/v1/policies/current" />}
    >
      <div className="stack">
        <Panel title="The text" flush>
          <Suspense fallback={<p role="status" className="panel-body">loading the editor</p>}>
            <Editor label="Policy set in Cedar" text={text} change={setText} faults={faults} />
          </Suspense>
          <div className="panel-body"><Faults of={found} /></div>
          <div className="panel-body toolbar">
            <Publish text={text} changed={changed} good={found?.length === 0} next={(current?.version ?? 0) + 1} />
            <Button variant="default" disabled={!changed} onClick={() => setText(current?.text ?? "")}>Back to what is in force</Button>
          </div>
        </Panel>
        <Tabs defaultValue="replay" keepMounted={false}>
          <Tabs.List>
            <Tabs.Tab value="replay">Replay</Tabs.Tab>
            <Tabs.Tab value="test">Scenarios</Tabs.Tab>
            <Tabs.Tab value="versions">Versions</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="replay" pt="md"><Replay text={text} /></Tabs.Panel>
          <Tabs.Panel value="test" pt="md">
            <Suspense fallback={<p role="status">loading</p>}><Trials text={text} scenarios={scenarios} change={setScenarios} /></Suspense>
          </Tabs.Panel>
          <Tabs.Panel value="versions" pt="md"><Versions look={(chosen) => setText(chosen.text)} /></Tabs.Panel>
        </Tabs>
      </div>
    </Screen>
  );
}

function Faults({ of }: { readonly of: readonly FaultView[] | undefined }) {
  if (!of) return <p role="status" className="soft">being checked</p>;
  if (of.length === 0) return <p role="status"><span className="tag tag-permit">sound</span> it could be published</p>;
  return (
    <section className="failed" role="alert">
      {of.map((each) => (
        <p key={`${each.line} ${each.column} ${each.sentence}`}>
          {(each.line ?? 0) > 0 && <>line {each.line}: </>}<Untrusted own>{each.sentence}</Untrusted> {each.hint && <span className="soft"><Untrusted own>{each.hint}</Untrusted></span>}
        </p>
      ))}
    </section>
  );
}

/** The number that the publisher means goes along: whoever was faster is not overwritten. */
function Publish({ text, changed, good, next }: { readonly text: string; readonly changed: boolean; readonly good: boolean; readonly next: number }) {
  const queries = useQueryClient();
  const me = useMe();
  const publish = useMutation({
    mutationFn: () => body(api.POST("/api/v1/policies", { body: { text, version: next } })),
    onSuccess: (made) => {
      say(inForce(made));
      return queries.invalidateQueries({ queryKey: ["policies"] });
    },
  });
  return (
    <>
      <Button loading={publish.isPending} disabled={!changed || !good || !me.person} onClick={() => publish.mutate()}>Publish as version {next}</Button>
      {publish.isError && <Failed error={publish.error} />}
    </>
  );
}
