import { Button } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { api, body } from "../../api/client";
import { CopyAs } from "../../parts/Copy";
import { State } from "../../parts/Effect";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { Panel, Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";
import { mentionsQuery } from "../ledger/data";

/** One thing that this house is connected to. */
interface Line {
  /** What its records name. */
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly about: ReactNode;
  readonly test?: string;
}

interface Kind {
  readonly title: string;
  readonly empty: string;
  readonly ask: () => Promise<readonly Line[]>;
}

const KINDS: readonly Kind[] = [
  {
    title: "Identity providers",
    empty: "people sign in with passkeys alone: remit idp add lets them come from a provider",
    ask: async () =>
      (await body(api.GET("/api/v1/identity-providers"))).map((each) => ({ id: each.id, name: each.name, state: each.standing, about: <>{each.product} · <Untrusted own>{each.issuer}</Untrusted></>, test: each.name })),
  },
  {
    title: "Issuers of workloads",
    empty: "no workload proves itself by another's word: remit issuer add",
    ask: async () => (await body(api.GET("/api/v1/issuers"))).map((each) => ({ id: each.id, name: each.name, state: each.state, about: <>{each.profile} · <Untrusted own>{each.issuer}</Untrusted></> })),
  },
  {
    title: "Trusted domains",
    empty: "no other authorization server is trusted: remit domain add",
    ask: async () => (await body(api.GET("/api/v1/domains"))).map((each) => ({ id: each.id, name: each.name, state: each.state, about: <Untrusted own>{each.issuer}</Untrusted> })),
  },
  {
    title: "Credential providers",
    empty: "no call carries a credential of another service: remit provider add",
    ask: async () => (await body(api.GET("/api/v1/providers"))).map((each) => ({ id: each.id, name: each.name, state: "active", about: <>{each.kind} {each.issuer && <Untrusted own>{each.issuer}</Untrusted>}</> })),
  },
  {
    title: "MCP servers",
    empty: "nothing stands behind the gateway: remit server add",
    ask: async () => (await body(api.GET("/api/v1/servers"))).map((each) => ({ id: each.id, name: each.name, state: "active", about: <>{each.transport} · {each.standing}</> })),
  },
];

/** What this house is connected to, and who changed that when. */
export function Integrations() {
  return (
    <Screen title="Integrations" about="What this house is connected to" actions={<CopyAs request="GET /api/v1/identity-providers" />}>
      <div className="stack">
        {KINDS.map((each) => <Some key={each.title} kind={each} />)}
        <Keys />
      </div>
    </Screen>
  );
}

function Some({ kind }: { readonly kind: Kind }) {
  const found = useQuery({ queryKey: ["integrations", kind.title], queryFn: kind.ask });
  if (found.isError) return <Panel title={kind.title}><Failed error={found.error} again={() => void found.refetch()} /></Panel>;
  return (
    <Panel title={kind.title} flush>
      {!found.data && <p role="status" className="panel-body soft">loading</p>}
      {found.data?.length === 0 && <p className="panel-body soft">{kind.empty}</p>}
      <ul className="stages">{found.data?.map((each) => <One key={each.id} of={each} />)}</ul>
    </Panel>
  );
}

function One({ of }: { readonly of: Line }) {
  const [shown, setShown] = useState(false);
  return (
    <li>
      <strong><Untrusted own>{of.name}</Untrusted></strong>
      <State of={of.state} />
      <div>
        <p>{of.about}</p>
        <div className="split">
          {of.test && <Examine name={of.test} />}
          <Button size="compact-xs" variant="default" aria-expanded={shown} onClick={() => setShown(!shown)}>Who changed it</Button>
        </div>
        {shown && <Changes of={of.id} />}
      </div>
    </li>
  );
}

/** Walks the way to a provider now, and names what fails. */
function Examine({ name }: { readonly name: string }) {
  const walk = useMutation({ mutationFn: () => body(api.POST("/api/v1/identity-providers/{name}/examine", { params: { path: { name } } })) });
  return (
    <>
      <Button size="compact-xs" variant="default" loading={walk.isPending} onClick={() => walk.mutate()}>Test it</Button>
      {walk.isError && <Failed error={walk.error} />}
      {walk.data && (
        <ul role="status">
          {walk.data.map((step) => <li key={step.step}><span className={step.ok ? "tag tag-permit" : "tag tag-deny"}>{step.ok ? "holds" : "fails"}</span> {step.step}: <Untrusted own>{step.detail}</Untrusted>{!step.ok && step.fix && <> next: <Untrusted own>{step.fix}</Untrusted></>}</li>)}
        </ul>
      )}
    </>
  );
}

/** From the log: the newest first, and only what changed it. */
function Changes({ of }: { readonly of: string }) {
  const found = useQuery(mentionsQuery(of));
  if (found.isError) return <Failed error={found.error} />;
  if (!found.data) return <p role="status" className="soft">loading</p>;
  const changes = found.data.filter((each) => each.record.subject === of).reverse();
  if (changes.length === 0) return <p className="soft">no record says so: it is from before changes were recorded</p>;
  return <ul>{changes.slice(0, 20).map(({ record }) => <li key={record.id}><When at={record.at} /> <To id={record.id}><code>{record.kind}</code></To> by <To id={record.actor} /></li>)}</ul>;
}

function Keys() {
  const keys = useQuery({ queryKey: ["integrations", "keys"], queryFn: () => body(api.GET("/api/v1/keys")) });
  if (keys.isError) return <Panel title="Signing keys"><Failed error={keys.error} /></Panel>;
  return (
    <Panel title="Signing keys" flush>
      <ul className="stages">
        {keys.data?.map((each) => (
          <li key={each.kid}><strong>{each.purpose}</strong><State of={each.state} /><span><code>{each.kid}</code> {each.algorithm}, since <When at={each.not_before} brief />{each.not_after && <>, until <When at={each.not_after} brief /></>}</span></li>
        ))}
      </ul>
    </Panel>
  );
}
