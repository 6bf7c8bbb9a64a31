const FORM = new Intl.DateTimeFormat("en-GB", {
  year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC",
});
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC" });
const SPANS: readonly (readonly [number, string])[] = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];

/** A length of time in its two greatest units. */
export function span(seconds: number): string {
  let left = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  for (const [size, unit] of SPANS) {
    if (left >= size && parts.length < 2) {
      parts.push(`${Math.floor(left / size)} ${unit}`);
      left %= size;
    }
  }
  return parts.join(" ") || "0 s";
}

interface Props {
  readonly at: string | null | undefined;
  /** Only the time of day, for today; with the whole in the title. */
  readonly brief?: boolean;
}

/** A moment, in UTC as everything on record. */
export function When({ at, brief = false }: Props) {
  if (!at) return <span className="soft">never</span>;
  const moment = new Date(at);
  const today = brief && moment.toISOString().slice(0, 10) === new Date().toISOString().slice(0, 10);
  return (
    <time dateTime={at} title={`${FORM.format(moment)} UTC`} className="nowrap">
      {today ? CLOCK.format(moment) : FORM.format(moment)}
    </time>
  );
}
