/** The time range that all screens share: it stands in the address, so that a colleague sees the same. */
import { useSearch } from "@tanstack/react-router";

export const RANGES = { "15m": 900, "1h": 3_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000, all: 0 } as const;
export type Range = keyof typeof RANGES;

export const DEFAULT_RANGE: Range = "24h";

const WORDS: Readonly<Record<Range, string>> = {
  "15m": "last 15 minutes", "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days", all: "all time",
};

export const rangeChoices = (Object.keys(RANGES) as Range[]).map((value) => ({ value, label: WORDS[value] }));

export function readRange(value: unknown): Range | undefined {
  return typeof value === "string" && Object.hasOwn(RANGES, value) ? (value as Range) : undefined;
}

export function useRange(): Range {
  // What no screen's rule has read is in the address as it was typed.
  return readRange(useSearch({ strict: false, select: (search: { range?: unknown }) => search.range })) ?? DEFAULT_RANGE;
}

/** Where a range begins, to the whole minute so that what is asked stays the same for one; null is the beginning. */
export function since(range: Range): string | null {
  const seconds = RANGES[range];
  return seconds ? new Date(Math.floor(Date.now() / 60_000) * 60_000 - seconds * 1000).toISOString() : null;
}
