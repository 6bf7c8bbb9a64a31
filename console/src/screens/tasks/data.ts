/** Tasks: what is asked of the API. */
import { queryOptions } from "@tanstack/react-query";
import { api, body } from "../../api/client";

const of = (task: string) => ({ params: { path: { task } } });

export const graphQuery = (task: string) =>
  queryOptions({ queryKey: ["tasks", "graph", task], queryFn: () => body(api.GET("/api/v1/tasks/{task}/graph", of(task))) });

export const budgetQuery = (task: string) =>
  queryOptions({ queryKey: ["tasks", "budget", task], queryFn: () => body(api.GET("/api/v1/tasks/{task}/budget", of(task))) });

export const taskPage = (cursor: string) => body(api.GET("/api/v1/tasks", { params: { query: { cursor, limit: 50 } } }));
