import type { HourView, MinuteView } from "../api/schema";

export interface Bar {
  readonly at: string;
  readonly effects: Readonly<Record<string, number>>;
}

const ORDER = ["permit", "step_up", "ask", "deny"];
const INK: Readonly<Record<string, string>> = { permit: "var(--permit)", deny: "var(--deny)", ask: "var(--ask)", step_up: "var(--step)" };
const HIGH = 90;

/** Counts over time, drawn plainly; the same numbers stand in a table for readers of screens. */
export function Bars({ of, label, slot, slots, until }: { readonly of: readonly Bar[]; readonly label: string; readonly slot: number; readonly slots: number; readonly until: number }) {
  const last = Math.floor(until / slot);
  const at = new Map(of.map((each) => [Math.floor(Date.parse(each.at) / slot), each.effects]));
  const most = Math.max(1, ...of.map((each) => sum(each.effects)));
  const wide = 600 / slots;
  return (
    <figure style={{ margin: 0 }}>
      <svg viewBox={`0 0 600 ${HIGH + 4}`} width="100%" height={HIGH + 4} preserveAspectRatio="none" role="img" aria-label={label}>
        {Array.from({ length: slots }, (_, place) => {
          const found = at.get(last - slots + 1 + place);
          let below = HIGH;
          return found && ORDER.map((effect) => {
            const high = ((found[effect] ?? 0) / most) * HIGH;
            below -= high;
            return high > 0 && <rect key={`${place}${effect}`} x={place * wide} y={below} width={Math.max(1, wide - 1)} height={high} fill={INK[effect]} />;
          });
        })}
        <line x1="0" x2="600" y1={HIGH + 1} y2={HIGH + 1} stroke="var(--line)" />
      </svg>
      <table className="unseen">
        <caption>{label}</caption>
        <tbody>{of.map((each) => <tr key={each.at}><th scope="row">{each.at}</th><td>{Object.entries(each.effects).map(([effect, count]) => `${count} ${effect}`).join(", ")}</td></tr>)}</tbody>
      </table>
    </figure>
  );
}

export const ofHours = (hours: readonly HourView[]): readonly Bar[] => hours;

/** Rows of one minute and one effect each, as bars. */
export function ofMinutes(minutes: readonly MinuteView[]): readonly Bar[] {
  const found = new Map<string, Record<string, number>>();
  for (const each of minutes) found.set(each.at, { ...found.get(each.at), [each.effect]: each.count });
  return [...found].map(([at, effects]) => ({ at, effects }));
}

export function sum(effects: Readonly<Record<string, number>>): number {
  return Object.values(effects).reduce((total, count) => total + count, 0);
}
