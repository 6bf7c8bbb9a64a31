/** One agent: what is asked of the API about it. */
import { queryOptions } from "@tanstack/react-query";
import { api, body } from "../../api/client";

const of = (ident: string) => ({ path: { ident } });

export const standingQuery = (ident: string) =>
  queryOptions({ queryKey: ["agents", "standing", ident], queryFn: () => body(api.GET("/api/v1/agents/{ident}/standing", { params: of(ident) })) });

export const accessQuery = (ident: string, days: number) =>
  queryOptions({ queryKey: ["agents", "access", ident, days], queryFn: () => body(api.GET("/api/v1/agents/{ident}/access", { params: { ...of(ident), query: { days } } })) });

export const behaviourQuery = (ident: string, days: number) =>
  queryOptions({ queryKey: ["agents", "behaviour", ident, days], queryFn: () => body(api.GET("/api/v1/agents/{ident}/behaviour", { params: { ...of(ident), query: { days } } })) });

export const riskQuery = (agent: string) =>
  queryOptions({ queryKey: ["agents", "risk", agent], queryFn: () => body(api.GET("/api/v1/risk/agents/{agent}", { params: { path: { agent } } })) });

export const driftQuery = (ident: string) =>
  queryOptions({ queryKey: ["agents", "drift", ident], queryFn: () => body(api.GET("/api/v1/agents/{ident}/drift", { params: of(ident) })) });
