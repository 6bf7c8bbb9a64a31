import { queryOptions } from "@tanstack/react-query";
import { api, body } from "../../api/client";
import type { ApprovalState } from "../../api/schema";

export const HISTORY: readonly ApprovalState[] = ["approved", "denied", "expired", "cancelled"];

export function approvalPage(query: { state?: ApprovalState; mine?: boolean }, cursor: string, limit: number) {
  return body(api.GET("/api/v1/approvals", { params: { query: { ...query, cursor, limit } } }));
}

export const approvalQuery = (approval: string) =>
  queryOptions({
    queryKey: ["approvals", "one", approval],
    queryFn: () => body(api.GET("/api/v1/approvals/{approval}", { params: { path: { approval } } })),
  });

/** What waits for whoever is signed in: what can't be undone first, then what ends first; alike asks on one card. */
export function inboxPage(cursor: string) {
  return body(api.GET("/api/v1/attention/inbox", { params: { query: { cursor, limit: 50 } } }));
}
