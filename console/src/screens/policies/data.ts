/** Policy: what is asked of the API. */
import { queryOptions } from "@tanstack/react-query";
import { api, body } from "../../api/client";

export const currentQuery = queryOptions({
  queryKey: ["policies", "current"],
  queryFn: () => body(api.GET("/api/v1/policies/{version}", { params: { path: { version: "current" } } })),
  retry: false,
});

export const versionsPage = (cursor: string) => body(api.GET("/api/v1/policies", { params: { query: { cursor, limit: 20 } } }));

export const check = (text: string) => body(api.POST("/api/v1/policies/check", { body: { text } }));

export const replay = (text: string, since: string) => body(api.POST("/api/v1/policies/replay", { body: { text, since } }));

export const test = (text: string, scenarios: string) => body(api.POST("/api/v1/policies/test", { body: { text, scenarios } }));

export const EXAMPLE = `# What must hold, one scenario each; see the guide "Testing policies".
scenarios: []
`;

/** What came of publishing. Where a second person has to confirm it, the answer is the change that waits for them. */
export function inForce(made: { readonly version: number } | { readonly id: string }, of?: number): string {
  if (!("version" in made)) return "proposed: it waits for a second person, who confirms it with a passkey";
  return `version ${made.version} is in force${of === undefined ? "" : `, with the text of version ${of}`}`;
}
