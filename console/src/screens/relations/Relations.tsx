import { Button, Select, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, body } from "../../api/client";
import type { RelatedPage, RelationAnswer } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { Empty } from "../../parts/Empty";
import { Failed } from "../../parts/Failed";
import { Panel, Screen } from "../../parts/Screen";
import { Untrusted } from "../../parts/Untrusted";

/** Who is related to what: check one, list both ways, read the model. */
export function Relations() {
  const stores = useQuery({ queryKey: ["relations", "stores"], queryFn: () => body(api.GET("/api/v1/relations/stores", { params: { query: { limit: 200 } } })) });
  const [chosen, setChosen] = useState<string | null>(null);
  const found = stores.data?.items ?? [];
  const store = chosen ?? (found.find((each) => each.enforced) ?? found[0])?.id;
  return (
    <Screen title="Relations" about="Who is related to what, and how" actions={<CopyAs command="remit relation list" request="GET /api/v1/relations/stores" />}>
      {stores.isError && <Failed error={stores.error} />}
      {stores.data && found.length === 0 && <div className="panel"><Empty title="No store of relations" command="remit relation new house">A store holds who is related to what; decisions look into the one that is enforced.</Empty></div>}
      {store && (
        <div className="stack">
          <div className="toolbar">
            <Select label="Store" allowDeselect={false} w={320} value={store} data={found.map((each) => ({ value: each.id, label: each.enforced ? `${each.name} (decisions look here)` : each.name }))} onChange={setChosen} />
          </div>
          <div className="columns">
            <Panel title="Is somebody related"><Check store={store} key={`check ${store}`} /></Panel>
            <Panel title="Who is, or to what"><Listing store={store} key={`list ${store}`} /></Panel>
          </div>
          <Panel title="The model" flush><Model store={store} /></Panel>
        </div>
      )}
    </Screen>
  );
}

/** The document allows any context beside what is asked, which no type of ours can say. */
type Asked = never;

const word = (form: FormData, name: string): string => String(form.get(name) ?? "").trim();

function Check({ store }: { readonly store: string }) {
  const ask = useMutation({
    mutationFn: (form: FormData) => body(api.POST("/api/v1/relations/check", { body: { user: word(form, "user"), relation: word(form, "relation"), object: word(form, "object"), store } as Asked })),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    ask.mutate(new FormData(event.currentTarget));
  };
  return (
    <form onSubmit={submit} className="stack">
      <TextInput name="user" label="User" placeholder="user:user@company.com" required maxLength={512} />
      <TextInput name="relation" label="Relation" placeholder="viewer" required maxLength={50} />
      <TextInput name="object" label="Object" placeholder="document:plan" required maxLength={256} />
      <div><Button type="submit" loading={ask.isPending}>Check</Button></div>
      {ask.isError && <Failed error={ask.error} />}
      {ask.data && <Verdict of={ask.data} />}
    </form>
  );
}

function Verdict({ of }: { readonly of: RelationAnswer }) {
  return (
    <div role="status">
      <p>{of.allowed ? <span className="tag tag-permit">related</span> : <span className="tag tag-deny">not related</span>} {!of.complete && <span className="tag tag-ask">incomplete</span>}</p>
      {of.path && <p>by <Untrusted own>{of.path}</Untrusted></p>}
      {of.why && <p>lacks <Untrusted own>{of.why}</Untrusted></p>}
    </div>
  );
}

const WAYS = [{ value: "who", label: "Who is related to an object" }, { value: "what", label: "To what a user is related" }];

function Listing({ store }: { readonly store: string }) {
  const [way, setWay] = useState("who");
  const [items, setItems] = useState<readonly string[]>([]);
  const ask = useMutation({
    mutationFn: async ({ form, cursor }: { readonly form: FormData; readonly cursor: string }): Promise<RelatedPage> => {
      const more = { relation: word(form, "relation"), store, cursor, limit: 50 };
      return way === "who"
        ? body(api.POST("/api/v1/relations/who-can", { body: { ...more, object: word(form, "of"), users: word(form, "type") || "user" } as Asked }))
        : body(api.POST("/api/v1/relations/what-can", { body: { ...more, user: word(form, "of"), type: word(form, "type") } as Asked }));
    },
    onSuccess: (page, { cursor }) => setItems((old) => (cursor ? [...old, ...page.items] : page.items)),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    ask.mutate({ form: new FormData(event.currentTarget), cursor: "" });
  };
  const who = way === "who";
  return (
    <form onSubmit={submit} className="stack">
      <Select label="Question" data={WAYS} value={way} allowDeselect={false} onChange={(value) => { setWay(value ?? "who"); setItems([]); ask.reset(); }} />
      <TextInput name="of" label={who ? "Object" : "User"} placeholder={who ? "document:plan" : "user:user@company.com"} required maxLength={256} />
      <TextInput name="relation" label="Relation" placeholder="viewer" required maxLength={50} />
      <TextInput name="type" label={who ? "Kind of users" : "Kind of objects"} placeholder={who ? "user" : "document"} required={!who} maxLength={254} />
      <div><Button type="submit" variant="default" loading={ask.isPending}>List them</Button></div>
      {ask.isError && <Failed error={ask.error} />}
      {ask.data && (
        <div role="status">
          {items.length === 0 ? <p>nobody and nothing</p> : <ul>{items.map((each) => <li key={each}><Untrusted own>{each}</Untrusted></li>)}</ul>}
          {!ask.data.complete && <p className="tag tag-ask">some may lack: {ask.data.why}</p>}
          {ask.data.next && ask.variables && <Button variant="default" onClick={() => ask.mutate({ form: ask.variables.form, cursor: ask.data.next ?? "" })}>More</Button>}
        </div>
      )}
    </form>
  );
}

function Model({ store }: { readonly store: string }) {
  const model = useQuery({ queryKey: ["relations", "model", store], queryFn: () => body(api.GET("/api/v1/relations/model", { params: { query: { store } } })), retry: false });
  if (model.isError) return <div className="panel-body"><Failed error={model.error} /></div>;
  if (!model.data) return <p role="status" className="panel-body soft">loading</p>;
  return <pre className="policy" tabIndex={0} aria-label="Model of relations">{model.data.text.split("\n").map((line, place) => <span key={place}>{line || " "}</span>)}</pre>;
}
