import { queryOptions } from "@tanstack/react-query";
import { api, body } from "../../api/client";
import type { TargetKind } from "../../api/schema";

export const KINDS: readonly { readonly value: TargetKind; readonly label: string }[] = [
  { value: "agent", label: "Agent, with all its instances" },
  { value: "instance", label: "One instance of an agent" },
  { value: "task", label: "Task" },
  { value: "chain", label: "Delegation chain" },
  { value: "user", label: "Person, with all that acts for them" },
  { value: "blueprint", label: "Blueprint, with all agents made from it" },
  { value: "workload", label: "Workload" },
  { value: "tool", label: "Tool" },
];

const ASK_AGAIN = 500; // milliseconds while a plane has not confirmed yet

export const killQuery = (kill: string) =>
  queryOptions({
    queryKey: ["kills", "one", kill],
    queryFn: () => body(api.GET("/api/v1/kills/{kill}", { params: { path: { kill } } })),
    refetchInterval: (query) => (query.state.data?.state === "killing" ? ASK_AGAIN : false),
  });

export function preview(kind: TargetKind, target: string) {
  return body(api.POST("/api/v1/kills/preview", { body: { kind, target } }));
}
