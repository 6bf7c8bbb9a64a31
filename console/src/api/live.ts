/** The log as it happens, over one connection for the whole page; it resumes behind the last event that it saw. */
import { useEffect, useRef, useState } from "react";
import { base } from "../page";

/** One committed record: ids and codes, never a text. */
export interface Told {
  readonly record: string;
  readonly kind: string;
  readonly agent?: string;
  readonly decision?: string;
  readonly approval?: string;
  readonly subject?: string;
}

export type Connection = "connecting" | "live" | "lost" | "forbidden";
type Hears = (told: Told) => void;

// Milliseconds until the next try where the browser gives up by itself, at first and at most.
const AGAIN = 2_000;
const AGAIN_MOST = 60_000;
const POLL = 15_000; // and between two looks of a screen that is not told

/** Told to all once the connection stands: what was committed before it did, nobody has told. */
const MISSED: Told = { record: "", kind: "*" };

class Live {
  private readonly hearing = new Set<Hears>();
  private readonly watching = new Set<(now: Connection) => void>();
  private source: EventSource | undefined;
  private timer = 0;
  private place = "";
  private pause = AGAIN;
  private allowed = false;
  now: Connection = "connecting";

  /** Whether this person may follow the log: whoever may not would be refused again and again. */
  allow(may: boolean): void {
    this.allowed = may;
    if (may) this.open();
    else this.become("forbidden");
  }

  hear(hears: Hears): () => void {
    this.hearing.add(hears);
    return () => this.hearing.delete(hears);
  }

  watch(watches: (now: Connection) => void): () => void {
    this.watching.add(watches);
    return () => this.watching.delete(watches);
  }

  private open(): void {
    if (this.source || !this.allowed) return;
    const after = this.place ? `?after=${encodeURIComponent(this.place)}` : "";
    const source = new EventSource(`${base}/api/v1/stream${after}`);
    this.source = source;
    source.onopen = () => {
      this.pause = AGAIN;
      this.become("live");
      for (const hears of this.hearing) hears(MISSED);
    };
    source.onerror = () => this.failed(source);
    source.addEventListener("record", (event) => this.tell(event));
    source.addEventListener("end", (event) => this.end(event));
  }

  private tell(event: MessageEvent<string>): void {
    this.place = event.lastEventId;
    const told = JSON.parse(event.data) as Told;
    for (const hears of this.hearing) hears(told);
  }

  private end(event: MessageEvent<string>): void {
    const said = JSON.parse(event.data) as { code: string; after: string };
    this.place = said.after;
    this.close(said.code === "stream_forbidden" ? "forbidden" : "connecting");
  }

  /** A browser resumes by itself after a break; after a refusal it stays closed, and we ask again. */
  private failed(source: EventSource): void {
    if (source.readyState === EventSource.CLOSED) this.close("lost");
    else this.become("connecting");
  }

  private close(now: Connection): void {
    this.source?.close();
    this.source = undefined;
    this.become(now);
    window.clearTimeout(this.timer);
    if (now === "forbidden") return;
    this.timer = window.setTimeout(() => this.open(), this.pause);
    this.pause = Math.min(2 * this.pause, AGAIN_MOST);
  }

  private become(now: Connection): void {
    this.now = now;
    for (const watches of this.watching) watches(now);
  }
}

const live = new Live();

/** Open the connection, or leave it closed, for whoever is signed in. */
export function useFollowing(may: boolean): void {
  useEffect(() => live.allow(may), [may]);
}

/**
 * Call `hears` for what is committed of these kinds, at most once in `pause` milliseconds, and once at the end;
 * where the log can't be followed, every now and then instead.
 */
export function useLive(kinds: readonly string[], hears: () => void, { pause = 700, off = false } = {}): void {
  const latest = useRef(hears);
  useEffect(() => {
    latest.current = hears;
  });
  const wanted = kinds.join(" ");
  useEffect(() => {
    if (off) return;
    let timer = 0;
    const poll = window.setInterval(() => live.now !== "live" && latest.current(), POLL);
    const stop = live.hear((told) => {
      if (timer || !isOf(told, wanted)) return;
      timer = window.setTimeout(() => {
        timer = 0;
        latest.current();
      }, pause);
    });
    return () => {
      stop();
      window.clearInterval(poll);
      window.clearTimeout(timer);
    };
  }, [wanted, pause, off]);
}

function isOf(told: Told, wanted: string): boolean {
  return told === MISSED || wanted.split(" ").some((kind) => told.kind.startsWith(kind));
}

export function useConnection(): Connection {
  const [now, become] = useState(live.now);
  useEffect(() => live.watch(become), []);
  return now;
}
