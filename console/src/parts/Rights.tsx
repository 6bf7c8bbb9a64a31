import type { ConstraintBody, RightBody } from "../api/schema";
import { Untrusted } from "./Untrusted";

/** One right in words: an action, on what, within which bounds. */
export function Right({ of }: { readonly of: RightBody }) {
  const where = of.any ? `any ${of.resource_type}` : `${of.resource_type} ${(of.resources ?? []).join(", ")}`;
  const bounds = (of.constraints ?? []).map(bound).join("; ");
  return (
    <>
      <code>{of.action}</code> on <Untrusted own>{where}</Untrusted>
      {bounds && <> with <Untrusted own>{bounds}</Untrusted></>}
    </>
  );
}

function bound(of: ConstraintBody): string {
  const said = [
    of.at_least != null && `at least ${of.at_least}`,
    of.at_most != null && `at most ${of.at_most}`,
    of.one_of && `one of ${of.one_of.join(", ")}`,
  ];
  return `${of.pointer} ${said.filter(Boolean).join(", ")}`;
}

export function Rights({ of }: { readonly of: readonly RightBody[] }) {
  if (of.length === 0) return <span className="soft">nothing</span>;
  return <ul>{of.map((each) => <li key={JSON.stringify(each)}><Right of={each} /></li>)}</ul>;
}
