import { Button } from "@mantine/core";
import { useEffect, useState } from "react";
import type { ApprovalLine } from "../../api/schema";
import { base } from "../../page";
import { To } from "../../parts/links";
import { Facts } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { span, When } from "../../parts/When";

const SOON = 300; // seconds before its end at which an ask is pressing

/** One question that waits. SAFETY: the yes is given on Remit's own page, with a passkey, and nowhere else. */
export function AskCard({ of, mine }: { readonly of: ApprovalLine; readonly mine: boolean }) {
  return (
    <article className="panel ask">
      <div className="split">
        <Left until={of.expires_at} />
        <To id={of.id}>details</To>
      </div>
      <h2><Untrusted own>{of.action}</Untrusted> on <Untrusted>{of.resource}</Untrusted></h2>
      <Facts
        of={[
          ["Agent", <Untrusted own key="agent">{of.agent_name}</Untrusted>],
          ["For", of.user ? <Untrusted own key="user">{of.user_name}</Untrusted> : "itself: nobody asked it to"],
          ["With", of.with?.length ? <Untrusted own key="with">{of.with.join(", ")}</Untrusted> : ""],
          ["Asks because", <Untrusted own key="reason">{of.reason}</Untrusted>],
          ["Asked", <When key="asked" at={of.requested_at} brief />],
        ]}
      />
      {mine && <Answer approval={of.id} />}
    </article>
  );
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
