/**
 * Text from agents and tools, shown so that it can't deceive: what is unseen is named. The same rules as the
 * approval card's (`oversight/approvals/visible.py`); `tests/support/visible.json` holds both to the same answers.
 */
export interface Shown {
  readonly text: string;
  readonly length: number;
  readonly warnings: readonly string[];
}

const LONG_LINE = 512;
const ENCODED_MINIMUM = 24;
const PLAIN = /^(?:\n| |[^\p{C}\p{Z}])$/u;
const LINES = /\r\n|[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/u;
const LATIN = /\p{Script=Latin}/u;
const ALIKE = /[\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Armenian}\p{Script=Cherokee}]/u;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Make every invisible, directional or control character visible as `⟨U+XXXX⟩`; never shorten. */
export function show(value: string): Shown {
  const points = Array.from(value);
  const text = points.map((point) => (PLAIN.test(point) ? point : named(point))).join("");
  return { text, length: points.length, warnings: warningsOf(value, points) };
}

function named(point: string): string {
  const number = (point.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `⟨U+${number}⟩`;
}

function warningsOf(value: string, points: readonly string[]): string[] {
  const found: string[] = [];
  if (points.some((point) => !PLAIN.test(point))) found.push("holds invisible or control characters");
  if (mixesScripts(value)) found.push("mixes letters of several scripts that look alike");
  if (value.split(LINES).some((line) => Array.from(line).length > LONG_LINE)) {
    found.push(`holds a line of more than ${LONG_LINE} characters`);
  }
  if (isEncoded(value)) found.push("looks encoded: cannot be inspected");
  if (/^\s*[{[]/u.test(value)) found.push("looks like a document inside a text");
  return found;
}

/** Whether one word mixes Latin with letters that look like it, as look-alike domains do. */
function mixesScripts(value: string): boolean {
  return value.split(/\s+/u).some((word) => LATIN.test(word) && ALIKE.test(word));
}

function isEncoded(value: string): boolean {
  const packed = value.trim();
  const whole = packed.length >= ENCODED_MINIMUM && packed.length % 4 === 0 && /[0-9]/.test(packed);
  return whole && BASE64.test(packed);
}
