// Judges receipts as the console does: a list of {text, keys} comes in, a list of verdicts goes out.
import { readFileSync } from "node:fs";
import { parseKey, Rejected, verify } from "../../console/src/screens/ledger/receipt.ts";

const cases = JSON.parse(readFileSync(0, "utf-8")) as { text: string; keys: string[] }[];
const verdicts = [];
for (const { text, keys } of cases) {
  try {
    const found = await verify(text, await Promise.all(keys.map(parseKey)));
    verdicts.push({ step: 0, index: Number(found.index), size: Number(found.size), record: found.record });
  } catch (refused) {
    if (!(refused instanceof Rejected)) throw refused;
    verdicts.push({ step: refused.step });
  }
}
process.stdout.write(JSON.stringify(verdicts));
