import { Button, Group, Modal, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { Failed } from "./Failed";

interface Props {
  /** What pressing it does, as a verb: also the last button's word. */
  readonly label: string;
  /** What will be different afterwards. */
  readonly children: ReactNode;
  readonly does: (reason: string) => Promise<unknown>;
  readonly grave?: boolean;
}

/** A change that goes on record with its reason: asked for at once, refused in the API's words where it stands. */
export function ReasonButton({ label, children, does, grave = false }: Props) {
  const [opened, { open, close }] = useDisclosure();
  const [reason, setReason] = useState("");
  const change = useMutation({ mutationFn: does, onSuccess: close });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (reason.trim()) change.mutate(reason.trim());
  };
  const look = grave ? { color: "red.9" } : { variant: "default" };
  return (
    <>
      <Button {...look} onClick={open}>{label}…</Button>
      <Modal opened={opened} onClose={close} title={label} transitionProps={{ duration: 0 }} closeButtonProps={{ "aria-label": "Close" }}>
        <form onSubmit={submit} className="stack">
          <div>{children}</div>
          <TextInput data-autofocus label="Why" description="Stays on record with the change" required maxLength={500} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          {change.isError && <Failed error={change.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>Cancel</Button>
            <Button type="submit" loading={change.isPending} {...(grave ? { color: "red.9" } : {})}>{label}</Button>
          </Group>
        </form>
      </Modal>
    </>
  );
}
