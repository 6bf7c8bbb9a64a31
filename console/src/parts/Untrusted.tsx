import { Tooltip, UnstyledButton } from "@mantine/core";
import { Fragment, useState } from "react";
import { show } from "./visible";

const SHORT = 400;
const NAMED = /(⟨U\+[0-9A-F]{4,6}⟩)/u;

interface Props {
  readonly children: string | null | undefined;
  /** On lines of its own, with its line breaks. */
  readonly block?: boolean;
  /** Words of Remit or of an administrator in which others' values may stand: inert all the same, without quotes. */
  readonly own?: boolean;
  /** Characters that are shown at once; the rest is announced. */
  readonly most?: number;
}

/**
 * Every text that an agent, a tool or anybody outside wrote: quoted, inert, with what is invisible named and
 * what could deceive said. What is left out for its length is announced and one press away.
 */
export function Untrusted({ children, block = false, own = false, most = SHORT }: Props) {
  const [whole, setWhole] = useState(false);
  if (!children) return <span className="soft">none</span>;
  const shown = show(children);
  const cut = !whole && shown.length > most;
  const text = cut ? Array.from(shown.text).slice(0, most).join("") : shown.text;
  const inert = <bdi>{text.split(NAMED).map((part, place) => (place % 2 ? <mark key={place}>{part}</mark> : <Fragment key={place}>{part}</Fragment>))}</bdi>;
  return (
    <>
      {own ? <span className="told">{inert}</span> : <q className={block ? "untrusted untrusted-block" : "untrusted"}>{inert}</q>}
      {cut && (
        <UnstyledButton className="tag warned" onClick={() => setWhole(true)}>
          show all {shown.length.toLocaleString("en")} characters
        </UnstyledButton>
      )}
      {shown.warnings.map((warning) => (
        <Tooltip key={warning} label="Remit found this in a text that it did not write">
          <span className="tag tag-ask warned">{warning}</span>
        </Tooltip>
      ))}
    </>
  );
}
