/**
 * Receipts checked here, in the browser, with nothing but WebCrypto: C2SP tlog-proof@v1 over RFC 9162 §2.1 and
 * signed notes. The same steps, and the same refusals, as `remit ledger verify`.
 */

export class Rejected extends Error {
  readonly step: number;

  constructor(step: number, message: string) {
    super(message);
    this.step = step;
  }
}

export interface LogKey {
  readonly name: string;
  readonly id: Uint8Array<ArrayBuffer>;
  readonly key: Uint8Array<ArrayBuffer>;
}

export interface Proven {
  readonly origin: string;
  readonly size: bigint;
  readonly index: bigint;
  readonly root: string;
  readonly signers: readonly string[];
  /** The record, as its bytes say it. */
  readonly record: unknown;
}

interface Receipt {
  readonly entry: Uint8Array<ArrayBuffer>;
  readonly index: bigint;
  readonly proof: readonly Uint8Array<ArrayBuffer>[];
  readonly note: string;
}

const MAGIC = "c2sp.org/tlog-proof@v1";
const MOST_NODES = 63;
const LONGEST = 128 << 10;
const HASH = 32;
const DECIMAL = /^(0|[1-9][0-9]{0,18})$/;
const SIGNATURE = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/;
const ED25519 = 1;

/** Prove that a record is in the log. Throws `Rejected` with the step that failed, as 1 form, 2 head, 3 place, 4 record. */
export async function verify(text: string, keys: readonly LogKey[]): Promise<Proven> {
  const receipt = parse(text);
  // (2) Nothing of the head is believed before its signature.
  const head = await verifyHead(receipt.note, keys);
  // (3) Size and root come from the signed head alone.
  const root = await climb(receipt, head.size);
  if (!same(root, head.root)) throw new Rejected(3, "the record does not stand at its place under the signed head");
  // (4) Only now is the record worth reading.
  return { ...head, index: receipt.index, root: base64(head.root), record: read(receipt.entry) };
}

/** `name+keyid+base64(type ‖ key)`; a key ID that is not the key's is refused. */
export async function parseKey(text: string): Promise<LogKey> {
  const [, name = "", ident = "", blob = ""] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim()) ?? [];
  const raw = debase64(blob, 2);
  if (!name || raw.length !== HASH + 1 || raw[0] !== ED25519) throw new Rejected(2, "this is no key of a log: name+keyid+base64");
  const id = (await sha256(bytes(`${name}\n`), raw)).slice(0, 4);
  if (hex(id) !== ident) throw new Rejected(2, `the key has ID ${hex(id)}, its text says ${ident}`);
  return { name, id, key: raw.slice(1) };
}

function parse(text: string): Receipt {
  if (text.length > LONGEST) throw new Rejected(1, `a receipt has ${LONGEST} bytes at most`);
  const gap = text.indexOf("\n\n");
  const lines = text.slice(0, Math.max(0, gap)).split("\n");
  if (gap < 0 || lines.length < 3 || lines[0] !== MAGIC) throw new Rejected(1, `a receipt begins as ${MAGIC}`);
  if (lines.length - 3 > MOST_NODES) throw new Rejected(1, `a proof has ${MOST_NODES} nodes at most`);
  const index = after("index ", lines[2]);
  if (!DECIMAL.test(index)) throw new Rejected(1, "index is a plain decimal without leading zeros");
  const proof = lines.slice(3).map((line) => debase64(line, 1));
  if (proof.some((node) => node.length !== HASH)) throw new Rejected(1, "a node of the proof has not 32 bytes");
  return { entry: debase64(after("extra ", lines[1]), 1), index: BigInt(index), proof, note: text.slice(gap + 2) };
}

function after(word: string, line: string | undefined): string {
  if (!line?.startsWith(word)) throw new Rejected(1, `the receipt lacks its ${word.trim()} line`);
  return line.slice(word.length);
}

interface Head {
  readonly origin: string;
  readonly size: bigint;
  readonly root: Uint8Array<ArrayBuffer>;
  readonly signers: readonly string[];
}

/** One bad signature by a known key spoils the note; those of unknown keys are passed over; one good one is needed. */
async function verifyHead(note: string, keys: readonly LogKey[]): Promise<Head> {
  if (/[\u0000-\u0009\u000b-\u001f]/u.test(note)) throw new Rejected(2, "the note holds a control character");
  const gap = note.lastIndexOf("\n\n");
  if (gap < 1 || !note.endsWith("\n")) throw new Rejected(2, "the note has no text, no blank line, or no signature");
  const body = note.slice(0, gap + 1);
  const signers: string[] = [];
  for (const line of note.slice(gap + 2, -1).split("\n")) {
    const [, name = "", blob = ""] = SIGNATURE.exec(line) ?? [];
    if (!name) throw new Rejected(2, "a signature line is malformed");
    const raw = debase64(blob, 2);
    const known = keys.find((each) => each.name === name && same(each.id, raw.slice(0, 4)));
    if (!known) continue;
    if (!(await signed(known, bytes(body), raw.slice(4)))) throw new Rejected(2, `the signature of ${name} does not hold`);
    signers.push(name);
  }
  if (signers.length === 0) throw new Rejected(2, "no key that is trusted here has signed this head");
  const lines = body.slice(0, -1).split("\n");
  const [origin = "", size = "", root = ""] = lines;
  const found = debase64(root, 2);
  if (lines.length !== 3 || !origin || !DECIMAL.test(size) || found.length !== HASH) throw new Rejected(2, "a head is origin, size and root");
  return { origin, size: BigInt(size), root: found, signers };
}

async function signed(known: LogKey, message: Uint8Array<ArrayBuffer>, signature: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const key = await crypto.subtle.importKey("raw", known.key, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", key, signature, message);
}

/** RFC 9162 §2.1.3.2, from the leaf up. */
async function climb({ entry, index, proof }: Receipt, size: bigint): Promise<Uint8Array<ArrayBuffer>> {
  if (index >= size) throw new Rejected(3, `index ${index} is outside a tree of ${size}`);
  let [fn, sn] = [index, size - 1n];
  let node = await sha256(Uint8Array.of(0), entry);
  for (const next of proof) {
    if (sn === 0n) throw new Rejected(3, "the proof is longer than the path");
    if (fn & 1n || fn === sn) {
      node = await sha256(Uint8Array.of(1), next, node);
      while (!(fn & 1n) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      node = await sha256(Uint8Array.of(1), node, next);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n) throw new Rejected(3, "the proof is shorter than the path");
  return node;
}

function read(entry: Uint8Array<ArrayBuffer>): unknown {
  let text: string;
  let record: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(entry);
    record = JSON.parse(text);
  } catch {
    throw new Rejected(4, "the bytes are no record");
  }
  // A member twice, or space between: two readers could read two records.
  if (JSON.stringify(record) !== text) throw new Rejected(4, "the bytes are not in the one encoding of their record");
  return record;
}

async function sha256(...parts: readonly Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const hex = (data: Uint8Array): string => Array.from(data, (each) => each.toString(16).padStart(2, "0")).join("");
const base64 = (data: Uint8Array): string => btoa(String.fromCharCode(...data));

/** Standard base64 in its one canonical form. */
function debase64(text: string, step: number): Uint8Array<ArrayBuffer> {
  let raw: string;
  try {
    raw = atob(text);
  } catch {
    throw new Rejected(step, "a line is not base64");
  }
  if (btoa(raw) !== text) throw new Rejected(step, "a line is not canonical base64");
  return Uint8Array.from(raw, (each) => each.charCodeAt(0));
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((each, place) => each === other[place]);
}
