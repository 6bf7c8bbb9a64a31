import { Button, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { AnswerView, RecordView, TraceView } from "../../api/schema";
import { Copy, CopyAs } from "../../parts/Copy";
import { Effect, State } from "../../parts/Effect";
import { Empty } from "../../parts/Empty";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { Facts, Panel, Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { headQuery, mentionsQuery, type Start, traceQuery } from "./data";

/** What happened, provably: who did this and who allowed it, from any id or moment. */
export function Ledger() {
  const start = useSearch({ from: "/ledger" });
  const about = start.of ? `remit ledger who ${start.of}` : "remit ledger who --since 10m";
  return (
    <Screen title="Ledger" about="Who did this, and who allowed it" actions={<CopyAs command={about} request={`GET /api/v1/ledger/trace?${new URLSearchParams({ ...start })}`} />}>
      <div className="stack">
        <Ask start={start} />
        {start.of || start.since ? <Found start={start} /> : <Head />}
      </div>
    </Screen>
  );
}

/** A moment of a `datetime-local` field, which has no zone: here it is UTC, as everything on record. */
const utc = (text: FormDataEntryValue | null): string => (text ? new Date(`${String(text)}Z`).toISOString() : "");

function Ask({ start }: { readonly start: Start }) {
  const navigate = useNavigate();
  const [of, setOf] = useState(start.of ?? "");
  const ask = (search: Start) => void navigate({ to: "/ledger", search });
  const named = (event: FormEvent) => {
    event.preventDefault();
    if (of.trim()) ask({ of: of.trim() });
  };
  const timed = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    ask({ since: utc(form.get("since")), until: utc(form.get("until")) });
  };
  return (
    <Panel title="Start from">
      <form className="toolbar" onSubmit={named}>
        <TextInput label="A token, call, decision, approval, task or resource" placeholder="dec_…, tsk_…, Room:Room-401" required w={420} maxLength={512} value={of} onChange={(event) => setOf(event.currentTarget.value)} />
        <Button type="submit">Look it up</Button>
      </form>
      <form className="toolbar" onSubmit={timed}>
        <TextInput type="datetime-local" name="since" step="1" label="Or all since (UTC)" required defaultValue={start.since?.slice(0, 19) ?? ""} />
        <TextInput type="datetime-local" name="until" step="1" label="until (UTC), a day at most" required defaultValue={start.until?.slice(0, 19) ?? ""} />
        <Button type="submit" variant="default">Look at that time</Button>
      </form>
    </Panel>
  );
}

function Found({ start }: { readonly start: Start }) {
  const trace = useQuery(traceQuery(start));
  if (trace.isError) return <Failed error={trace.error} again={() => void trace.refetch()} />;
  if (!trace.data) return <p role="status">looking</p>;
  return (
    <>
      <Answers of={trace.data} />
      {start.of && <Mentions of={start.of} />}
    </>
  );
}

function Answers({ of }: { readonly of: TraceView }) {
  if (of.answers.length === 0) {
    return <Panel><Empty title="No decision is behind this">Nothing on record was decided about it. What else names it stands below.</Empty></Panel>;
  }
  return (
    <>
      {of.answers.map((each) => <Answer key={each.decision} of={each} />)}
      {of.authorization.length > 0 && (
        <Panel title="Back to the human's grant">
          <ol>{of.authorization.map((each) => <li key={`${each.what} ${each.record}`}>{each.what}: <To id={each.subject} /> <To id={each.record} /></li>)}</ol>
        </Panel>
      )}
      {of.tasks.map((task) => task.missing.length > 0 && <p key={task.task} className="soft">of task <To id={task.task} /> the log has nothing yet on: {task.missing.join(", ")}</p>)}
    </>
  );
}

/** Human, agent, task, approver, decision, mode, initiative: one answer, wherever one started. */
function Answer({ of }: { readonly of: AnswerView }) {
  return (
    <Panel title={<><Effect of={of.effect} /> <Untrusted own>{of.action}</Untrusted> on <Untrusted>{of.resource}</Untrusted></>}>
      {of.told && <p><Untrusted own>{of.told}</Untrusted></p>}
      <Facts
        of={[
          ["When", <When key="at" at={of.at} />],
          ["Human", of.human ? <To key="human" id={of.human} /> : "nobody: it acted by itself"],
          ["Answers for it", <To key="owner" id={of.owner} />],
          ["Agent", <To key="agent" id={of.agent} />],
          ["Chain", of.chain.length > 0 && <ol key="chain" className="chain">{of.chain.map((each) => <li key={each}><code>{each}</code></li>)}</ol>],
          ["Task", of.task && <><To id={of.task} /> for <Untrusted>{of.purpose}</Untrusted></>],
          ["Mode", of.mode && `${of.mode}, begun by the ${of.initiative}`],
          ["Decision", <To key="decision" id={of.decision} />],
          ["Approved by", of.approval ? <><To id={of.approver} /> in <To id={of.approval} /></> : "nobody: no rule asked for it"],
          ["Rules", of.rules.length > 0 && <Untrusted own key="rules">{of.rules.join(", ")}</Untrusted>],
          ["Policy", of.policy_version],
          ["Outcome", of.outcome && <State key="outcome" of={of.outcome} />],
          ["Call", of.call && <code key="call">{of.call}</code>],
          ["Proof", <>{of.evidence.map((each) => <span key={each}><To id={each} /> </span>)}</>],
        ]}
      />
    </Panel>
  );
}

function Mentions({ of }: { readonly of: string }) {
  const found = useQuery(mentionsQuery(of));
  if (!found.data) return null;
  return <Records of={found.data} title="Every record that names it" />;
}

/** What of a record is shown in a list. */
interface Placed {
  readonly shard: string;
  readonly index: number;
  readonly record: Pick<RecordView["record"], "id" | "at" | "kind" | "actor" | "effect">;
}

function Records({ of, title }: { readonly of: readonly Placed[]; readonly title: string }) {
  return (
    <Panel title={title} flush>
      {of.length === 0 && <p className="panel-body soft">no record names it</p>}
      <ul className="stages">
        {of.map(({ shard, index, record }) => (
          <li key={record.id}>
            <span><When at={record.at} brief /></span>
            <span>{record.effect && <Effect of={record.effect} />}</span>
            <span><To id={record.id}><code>{record.kind}</code></To> by <To id={record.actor} /> <span className="soft">record {index} of {shard}</span></span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** How long the log is, and the keys that ever signed it. */
function Head() {
  const head = useQuery(headQuery);
  if (head.isError) return <Failed error={head.error} />;
  if (!head.data) return <p role="status" className="soft">loading</p>;
  return (
    <Panel title="The signed head">
      <Facts
        of={[
          ["Records", head.data.size.toLocaleString("en")],
          ["Signed", <When key="at" at={head.data.at} />],
          ["Keys", <ul key="keys">{head.data.keys.map((each) => <li key={each}><code>{each}</code> <Copy text={each} label="Copy" /></li>)}</ul>],
        ]}
      />
      <pre className="receipt mono" tabIndex={0} aria-label="Signed head">{head.data.note}</pre>
    </Panel>
  );
}
