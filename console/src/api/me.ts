/** Who is signed in, and what they may see: the server's word, asked again every minute. */
import { queryOptions, useSuspenseQuery } from "@tanstack/react-query";
import { api, body, bring } from "./client";
import type { MeView } from "./schema";

export type Me = MeView;

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async () => {
    const me = await body(api.GET("/api/v1/me"));
    bring(me.csrf);
    return me;
  },
  refetchInterval: 60_000,
  staleTime: 30_000,
});

export function useMe(): Me {
  return useSuspenseQuery(meQuery).data;
}
