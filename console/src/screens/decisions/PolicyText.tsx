import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, body } from "../../api/client";
import { Failed } from "../../parts/Failed";

const ABOVE = 40; // pixels left above the first rule that is lit

/** The policy text that decided, with the rules that spoke lit. */
export function PolicyText({ version, rules }: { readonly version: string; readonly rules: readonly string[] }) {
  const query = useQuery({
    queryKey: ["policies", "one", version],
    queryFn: () => body(api.GET("/api/v1/policies/{version}", { params: { path: { version } } })),
    staleTime: Number.POSITIVE_INFINITY, // A version's text never changes.
  });
  const first = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const line = first.current; // Only the text moves, not the screen around it.
    if (line?.parentElement) line.parentElement.scrollTop = line.offsetTop - line.parentElement.offsetTop - ABOVE;
  }, [query.data]);
  if (query.isError) return <Failed error={query.error} />;
  if (!query.data) return <p role="status" className="soft">loading</p>;
  const lines = query.data.text.split("\n");
  const lit = litLines(lines, rules);
  const start = lit.indexOf(true);
  return (
    <pre className="policy" tabIndex={0} aria-label={`Policy version ${version}`}>
      {lines.map((line, place) => (
        <span key={place} className={lit[place] ? "lit" : undefined} ref={place === start ? first : undefined}>{line || " "}</span>
      ))}
    </pre>
  );
}

/** Which lines belong to a rule that spoke: from the annotation that names it to the end of its statement. */
export function litLines(lines: readonly string[], rules: readonly string[]): boolean[] {
  const named = rules.map((rule) => `@id(${JSON.stringify(rule)})`);
  let inside = false;
  return lines.map((line) => {
    const begins = named.some((mark) => line.includes(mark));
    const lit = inside || begins;
    inside = lit && !line.trimEnd().endsWith(";");
    return lit;
  });
}
