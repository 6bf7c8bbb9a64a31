import { Button } from "@mantine/core";
import { queryOptions, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { api, body } from "../../api/client";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { To } from "../../parts/links";
import { ReasonButton } from "../../parts/ReasonButton";
import { Facts, Panel, Screen } from "../../parts/Screen";
import { say } from "../../parts/toasts";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { Profile } from "./Profile";

const agentQuery = (ident: string) =>
  queryOptions({
    queryKey: ["agents", "one", ident],
    queryFn: () => body(api.GET("/api/v1/agents/{ident}", { params: { path: { ident } } })),
  });

/** One agent: who answers for it, and in which state it is. */
export function Agent() {
  const { agent: ident } = useParams({ from: "/agents/$agent" });
  const { data: agent } = useSuspenseQuery(agentQuery(ident));
  const queries = useQueryClient();
  const turn = async (reason: string) => {
    const asked = { params: { path: { ident } }, body: { reason } };
    const stopped = agent.state === "suspended";
    await body(stopped ? api.POST("/api/v1/agents/{ident}/resume", asked) : api.POST("/api/v1/agents/{ident}/suspend", asked));
    say(stopped ? "the agent may act again" : "the agent is suspended");
    await queries.invalidateQueries({ queryKey: ["agents"] });
  };
  const actions = (
    <>
      <CopyAs command={`remit agent show ${agent.name}`} request={`GET /api/v1/agents/${agent.id}`} />
      {(agent.state === "active" || agent.state === "suspended") && (
        <ReasonButton label={agent.state === "suspended" ? "Resume" : "Suspend"} does={turn}>
          {agent.state === "suspended" ? "It may act again, with all that it could before." : "None of its calls is answered any more until it is resumed. Nothing of it is lost."}
        </ReasonButton>
      )}
      <Button color="red.9" renderRoot={(props) => <Link to="/kills" search={{ kind: "agent", target: agent.id }} {...props} />}>Kill…</Button>
    </>
  );
  return (
    <Screen title={agent.name} heading={<><Untrusted own>{agent.name}</Untrusted> <State of={agent.state} /></>} about={<code>{agent.id}</code>} actions={actions}>
      <div className="stack">
      <Panel title="What it is">
        <Facts
          of={[
            ["Owner", <To id={agent.owner} key="owner" />],
            ["Purpose", <Untrusted own key="purpose">{agent.purpose}</Untrusted>],
            ["Blueprint", <To id={agent.blueprint} key="blueprint" />],
            ["Environment", agent.environment],
            ["Registered", <When at={agent.created_at} key="created" />],
            ["Changed", <When at={agent.changed_at} key="changed" />],
          ]}
        />
      </Panel>
      <Profile agent={agent} />
      </div>
    </Screen>
  );
}
