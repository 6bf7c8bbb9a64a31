/** The API of this installation, with its own types; what it refuses becomes an error that says what to do. */
import createClient, { type Middleware } from "openapi-fetch";
import { base, signIn } from "../page";
import type { paths, Problem } from "./schema";

/** A refusal in the API's own words: `title`, `detail`, `next` are shown as they are. */
export class Refused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }
}

let word = "";

/** What each change of this session brings along; the shell learns it from `GET /me`. */
export function bring(csrf: string): void {
  word = csrf;
}

/** Codes after which only the sign-in page goes on. */
const SIGNED_OUT = new Set(["session_over", "missing_token"]);

const door: Middleware = {
  onRequest: ({ request }) => {
    if (request.method !== "GET") {
      request.headers.set("Remit-CSRF", word);
      if (!request.headers.has("Idempotency-Key")) request.headers.set("Idempotency-Key", crypto.randomUUID());
    }
    return request;
  },
  onResponse: async ({ response }) => {
    if (response.ok) return;
    const problem = await problemOf(response);
    if (SIGNED_OUT.has(problem.code)) signIn();
    if (problem.code === "verification_needed") signIn({ again: true });
    throw new Refused(problem);
  },
};

async function problemOf(response: Response): Promise<Problem> {
  const told = { type: "about:blank", title: `the server answered ${response.status}`, status: response.status };
  const kind = response.headers.get("content-type") ?? "";
  if (kind.includes("json")) return { ...told, ...((await response.json()) as Problem) };
  return { ...told, code: "unreadable_answer", detail: "the answer is none of Remit's: something stands between" };
}

export const api = createClient<paths>({ baseUrl: base });
api.use(door);

/** The body of an answer; the middleware has thrown for every other one. */
export async function body<T>(answer: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  return (await answer).data as T;
}

/** Any failure as a problem, for showing. */
export function problem(error: unknown): Problem {
  if (error instanceof Refused) return error.problem;
  const told = error instanceof Error ? error.message : String(error);
  if (error instanceof TypeError && /fetch|network/i.test(told)) {
    const detail = "the server can't be reached; this page tries again by itself";
    return { type: "about:blank", title: "no connection", status: 0, code: "unreachable", detail };
  }
  return { type: "about:blank", title: "this screen failed", status: 0, code: "screen_failed", detail: told };
}
