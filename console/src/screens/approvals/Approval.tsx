import { useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useLive } from "../../api/live";
import { useMe } from "../../api/me";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { To } from "../../parts/links";
import { Facts, Panel, Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { Answer } from "./AskCard";
import { approvalQuery } from "./data";

/** One ask, whole: what was asked, of whom, what they said, what it was used for. */
export function Approval() {
  const { approval: ident } = useParams({ from: "/approvals/$approval" });
  const { data: ask } = useSuspenseQuery(approvalQuery(ident));
  const queries = useQueryClient();
  const me = useMe();
  useLive(["oversight.approval"], () => void queries.invalidateQueries({ queryKey: ["approvals", "one", ident] }));
  const waits = ask.state === "pending" && ask.asked.includes(me.id);
  return (
    <Screen
      title={`Approval ${ask.id}`}
      heading={<><State of={ask.state} /> <Untrusted own>{ask.action}</Untrusted> on <Untrusted most={120}>{ask.resource}</Untrusted></>}
      about={<code>{ask.id}</code>}
      actions={<><CopyAs command={`remit approval show ${ask.id}`} request={`GET /api/v1/approvals/${ask.id}`} />{waits && <Answer approval={ask.id} />}</>}
    >
      <div className="columns">
        <Panel title="The question">
          <Facts
            of={[
              ["Effect", <Untrusted key="effect">{ask.card.effect.text}</Untrusted>],
              ["Agent", <To id={ask.agent} key="agent"><Untrusted own>{ask.agent_name}</Untrusted></To>],
              ["For", ask.user ? <Untrusted own key="user">{ask.user_name}</Untrusted> : "itself: nobody asked it to"],
              ["Asks because", <Untrusted own key="reason">{ask.reason}</Untrusted>],
              ["Rule", <code key="rule">{ask.rule}</code>],
              ["Decision", <To id={ask.decision} key="decision" />],
              ["Asked", <When at={ask.requested_at} key="asked" />],
              ["Until", <When at={ask.expires_at} key="until" />],
              ["Asked of", <ul key="of">{ask.asked.map((each) => <li key={each}><code>{each}</code></li>)}</ul>],
            ]}
          />
        </Panel>
        <Panel title="Arguments, whole">
          <Facts of={ask.card.arguments.map((each) => [each.pointer, <Untrusted key={each.pointer} block>{each.value.text}</Untrusted>] as const)} />
        </Panel>
        <Panel title="The answer">
          <Facts
            of={[
              ["State", <State of={ask.state} key="state" />],
              ["By", ask.decided_by && <To id={ask.decided_by} key="by" />],
              ["When", ask.decided_at && <When at={ask.decided_at} key="when" />],
              ["Through", ask.channel],
              ["Used by", ask.spent_by && <To id={ask.spent_by} key="used" />],
              ["Signed digest", <code key="digest">{ask.digest}</code>],
            ]}
          />
        </Panel>
      </div>
    </Screen>
  );
}
