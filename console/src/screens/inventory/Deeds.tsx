import { Button, Modal, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, body } from "../../api/client";
import type { Deed, Kind, ManyDone } from "../../api/schema";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { ReasonButton } from "../../parts/ReasonButton";
import { Panel } from "../../parts/Screen";

interface Props {
  readonly kind: Kind;
  readonly chosen: readonly string[];
  readonly done: () => void;
}

/** One deed for all that are chosen; each has its own record, and a refusal is that one's alone. */
export function Deeds({ kind, chosen, done }: Props) {
  const queries = useQueryClient();
  const [told, setTold] = useState<ManyDone>();
  const carry = async (deed: Deed, more: { reason?: string; owner?: string }) => {
    const found = await body(api.POST("/api/v1/inventory/deeds", { body: { kind, deed, idents: [...chosen], ...more } }));
    setTold(found);
    await queries.invalidateQueries({ queryKey: ["inventory"] });
  };
  const count = `${chosen.length} chosen`;
  return (
    <Panel>
      <div className="toolbar">
        <strong role="status">{count}</strong>
        <ReasonButton label="Suspend" does={(reason) => carry("suspend", { reason })}>None of them acts any more until it is resumed.</ReasonButton>
        <ReasonButton label="Resume" does={(reason) => carry("resume", { reason })}>Those that are suspended may act again.</ReasonButton>
        {kind !== "human" && <HandOver does={(owner) => carry("assign_owner", { owner })} />}
        <ReasonButton label="Retire" grave does={(reason) => carry("retire", { reason })}>They end for ever, with their keys and tokens, and all that lives only below them.</ReasonButton>
        <Button variant="default" onClick={done}>Choose none</Button>
      </div>
      {told && <Outcomes of={told} />}
    </Panel>
  );
}

function HandOver({ does }: { readonly does: (owner: string) => Promise<void> }) {
  const [opened, { open, close }] = useDisclosure();
  const [owner, setOwner] = useState("");
  const change = useMutation({ mutationFn: does, onSuccess: close });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate(owner.trim());
  };
  return (
    <>
      <Button variant="default" onClick={open}>Assign owner…</Button>
      <Modal opened={opened} onClose={close} title="Assign owner" transitionProps={{ duration: 0 }} closeButtonProps={{ "aria-label": "Close" }}>
        <form onSubmit={submit} className="stack">
          <TextInput data-autofocus label="Who answers for them" description="A person, by name or id" required maxLength={128} value={owner} onChange={(event) => setOwner(event.currentTarget.value)} />
          {change.isError && <Failed error={change.error} />}
          <Button type="submit" loading={change.isPending}>Assign owner</Button>
        </form>
      </Modal>
    </>
  );
}

function Outcomes({ of }: { readonly of: ManyDone }) {
  const refused = of.outcomes.filter((each) => !each.done);
  return (
    <div role="status">
      <p>{of.done} done, {of.refused} refused</p>
      {refused.length > 0 && (
        <ul>
          {refused.map((each) => (
            <li key={each.ident}>
              <To id={each.ident} />: {each.detail} {each.next && <>next: <code>{each.next}</code></>}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
