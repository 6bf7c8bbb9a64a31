/** The log of record: what is asked of the API. */
import { queryOptions } from "@tanstack/react-query";
import { api, body } from "../../api/client";

/** Where a trace starts: anything with an id, or a span of time. */
export interface Start {
  readonly of?: string;
  readonly since?: string;
  readonly until?: string;
}

export const traceQuery = (start: Start) =>
  queryOptions({
    queryKey: ["ledger", "trace", start],
    queryFn: () => body(api.GET("/api/v1/ledger/trace", { params: { query: { ...start } } })),
  });

export const mentionsQuery = (ident: string) =>
  queryOptions({
    queryKey: ["ledger", "mentions", ident],
    queryFn: () => body(api.GET("/api/v1/ledger/records", { params: { query: { mentions: ident } } })),
  });

export const recordQuery = (record: string) =>
  queryOptions({
    queryKey: ["ledger", "record", record],
    queryFn: () => body(api.GET("/api/v1/ledger/records/{record}", { params: { path: { record } } })),
  });

export const receiptOf = (record: string) => body(api.GET("/api/v1/ledger/records/{record}/receipt", { params: { path: { record } } }));

export const headQuery = queryOptions({
  queryKey: ["ledger", "head"],
  queryFn: () => body(api.POST("/api/v1/ledger/checkpoint")),
});
