import { Button } from "@mantine/core";
import { useEffect, useState } from "react";
import type { InboxCard as Card } from "../../api/schema";
import { base } from "../../page";
import { To } from "../../parts/links";
import { Facts } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { span } from "../../parts/When";

const SHORT = 120; // characters of a stranger's words on a card
const SOON = 300; // seconds before its end at which an ask is pressing

const RANKS = ["can't be undone", "stands out, or moves money"] as const;
const ITEMS = 5; // of a card with many, as many as one reads here; all are on the page where one answers

/** One card that waits. SAFETY: the yes is given on Remit's own page, with a passkey, and nowhere else. */
export function InboxCard({ of }: { readonly of: Card }) {
  const [first] = of.items;
  const several = of.items.length > 1;
  return (
    <article className="panel ask">
      <div className="split">
        <Left until={of.expires_at} />
        {RANKS[of.rank] && <span className={`tag tag-${of.rank ? "ask" : "deny"}`}>{RANKS[of.rank]}</span>}
      </div>
      <h2><Untrusted own>{of.effect.text}</Untrusted></h2>
      <Facts
        of={[
          ["Agent", <Untrusted own key="agent">{of.agent_name.text}</Untrusted>],
          ["Action", <code key="action">{of.action}</code>],
          ["For", <Untrusted own key="user">{first?.user_name.text}</Untrusted>],
          ["Asks because", <Untrusted own key="reason">{of.reason.text}</Untrusted>],
          ["Apart because", of.apart && <Untrusted own key="apart">{of.apart}</Untrusted>],
          [several ? `${of.items.length} alike` : "On", <Items of={of} key="items" />],
        ]}
      />
      <Button component="a" href={answerAt(of)}>{several ? "Look at all and answer" : "Look and answer"}</Button>
    </article>
  );
}

function Items({ of }: { readonly of: Card }) {
  return (
    <ul className="plain">
      {of.items.slice(0, ITEMS).map((each) => (
        <li key={each.id}>
          <Untrusted most={SHORT}>{each.resource.text}</Untrusted> {each.amount && <strong><Untrusted own>{each.amount}</Untrusted></strong>} <To id={each.id}>details</To>
        </li>
      ))}
      {of.items.length > ITEMS && <li>and {of.items.length - ITEMS} more</li>}
    </ul>
  );
}

function answerAt(of: Card): string {
  const ids = of.items.map((each) => each.id);
  return ids.length > 1 ? `${base}/me/inbox/together?items=${ids.join(",")}` : `${base}/approvals/${ids[0] ?? ""}`;
}

/** The way to the page where a person answers. */
export function Answer({ approval }: { readonly approval: string }) {
  return <Button component="a" href={`${base}/approvals/${approval}`}>Look and answer</Button>;
}

function Left({ until }: { readonly until: string }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  const left = (Date.parse(until) - now) / 1000;
  if (left <= 0) return <span className="tag tag-deny">over</span>;
  return <span className={left < SOON ? "tag tag-ask" : "tag"}>{span(left)} left</span>;
}
