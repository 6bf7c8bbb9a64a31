import { CloseButton } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { problem } from "../api/client";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly next?: string;
  readonly bad: boolean;
}

const MOST = 4;
const SECONDS = { good: 4, bad: 12 };
let toasts: readonly Toast[] = [];
let last = 0;
const hearing = new Set<() => void>();

function become(next: readonly Toast[]): void {
  toasts = next;
  for (const hears of hearing) hears();
}

function put(toast: Omit<Toast, "id">): void {
  const id = ++last;
  become([...toasts.slice(1 - MOST), { ...toast, id }]);
  window.setTimeout(() => drop(id), 1000 * (toast.bad ? SECONDS.bad : SECONDS.good));
}

function drop(id: number): void {
  become(toasts.filter((each) => each.id !== id));
}

/** Tell that something is done. */
export function say(text: string): void {
  put({ text, bad: false });
}

/** Tell what was refused, in the API's own words. */
export function complain(error: unknown): void {
  const told = problem(error);
  put({ text: told.detail || told.title, bad: true, ...(told.next ? { next: told.next } : {}) });
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (hears) => {
      hearing.add(hears);
      return () => hearing.delete(hears);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((each) => (
        <div key={each.id} className={each.bad ? "toast toast-bad" : "toast"}>
          <div>
            {each.text}
            {each.next && <div className="soft">next: <code>{each.next}</code></div>}
          </div>
          <CloseButton size="sm" aria-label="Dismiss" onClick={() => drop(each.id)} />
        </div>
      ))}
    </div>
  );
}
