import { Button, Select, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api, body } from "../../api/client";
import type { ReachView, TargetKind } from "../../api/schema";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { Facts, Panel } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { KINDS, preview } from "./data";

/** Say what to stop, see all that would stop, then name it once more. */
export function Trigger() {
  const search = useSearch({ from: "/kills" });
  const [kind, setKind] = useState<TargetKind>(KINDS.find((each) => each.value === search.kind)?.value ?? "agent");
  const [target, setTarget] = useState(search.target ?? "");
  const look = useMutation({ mutationFn: () => preview(kind, target.trim()) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    look.mutate();
  };
  return (
    <Panel title="Stop something">
      <form className="toolbar" onSubmit={submit}>
        <Select label="What" data={[...KINDS]} value={kind} allowDeselect={false} w={280} onChange={(value) => { setKind((value ?? "agent") as TargetKind); look.reset(); }} />
        <TextInput label="Its name or id" required value={target} maxLength={128} autoComplete="off" w={320} onChange={(event) => { setTarget(event.currentTarget.value); look.reset(); }} />
        <Button type="submit" variant="default" loading={look.isPending}>Show what would stop</Button>
      </form>
      {look.isError && <Failed error={look.error} />}
      {look.data && <Confirm reach={look.data} key={look.data.target} />}
    </Panel>
  );
}

function Confirm({ reach }: { readonly reach: ReachView }) {
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const wanted = reach.name || reach.target;
  const kill = useMutation({
    mutationFn: () => body(api.POST("/api/v1/kills", { body: { kind: reach.kind, target: reach.target, reason } })),
    onSuccess: (done) => void navigate({ to: "/kills/$kill", params: { kill: done.id } }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed === wanted && reason.trim()) kill.mutate();
  };
  return (
    <form onSubmit={submit} aria-label="Confirm the kill">
      <Reach of={reach} />
      <div className="toolbar" style={{ marginTop: "1rem" }}>
        <TextInput label="Why" required value={reason} maxLength={500} w={320} onChange={(event) => setReason(event.currentTarget.value)} />
        <TextInput label={<>Type <code>{wanted}</code> to go on</>} required autoComplete="off" value={typed} w={320} onChange={(event) => setTyped(event.currentTarget.value)} />
        <Button type="submit" color="red.9" loading={kill.isPending} disabled={typed !== wanted || !reason.trim()}>Stop it now</Button>
      </div>
      {kill.isError && <Failed error={kill.error} />}
    </form>
  );
}

const SHOWN = 20;

/** All that stops: counted whole, named as far as one can read. */
export function Reach({ of }: { readonly of: ReachView }) {
  return (
    <Facts
      of={[
        ["Target", <>{of.kind} <Untrusted own>{of.name || of.target}</Untrusted> <code className="soft">{of.target}</code></>],
        ["Stops acting", <Ids of={of.principals} one="identity" many="identities" />],
        ["Ends", <Ids of={of.tasks} one="task" many="tasks" />],
      ]}
    />
  );
}

function Ids({ of, one, many }: { readonly of: readonly string[]; readonly one: string; readonly many: string }) {
  if (of.length === 0) return <>no {one}</>;
  return (
    <>
      {of.length} {of.length === 1 ? one : many}:{" "}
      {of.slice(0, SHOWN).map((each) => <span key={each}><To id={each} /> </span>)}
      {of.length > SHOWN && <>and {of.length - SHOWN} more</>}
    </>
  );
}
