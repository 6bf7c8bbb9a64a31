import { Checkbox, TextInput } from "@mantine/core";
import { useSuspenseQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, body } from "../../api/client";
import type { SettingView } from "../../api/schema";
import { CopyAs } from "../../parts/Copy";
import { Panel, Screen } from "../../parts/Screen";

const query = { queryKey: ["settings"], queryFn: () => body(api.GET("/api/v1/settings")) };

/** Every setting in force: what it is, what it is set to, how it is set. */
export function Settings() {
  const { data } = useSuspenseQuery(query);
  const [text, setText] = useState("");
  const [own, setOwn] = useState(false);
  const wanted = text.trim().toLowerCase();
  const shown = data.filter((each) => (!own || each.chosen) && `${each.name} ${each.sentence}`.toLowerCase().includes(wanted));
  return (
    <Screen title="Settings" about="In force in this process. They live in its file and environment: change them there, where a change is reviewed, and restart." actions={<CopyAs request="GET /api/v1/settings" />}>
      <div className="toolbar">
        <TextInput label="Search" value={text} w={260} onChange={(event) => setText(event.currentTarget.value)} />
        <Checkbox label="only what was chosen" checked={own} onChange={(event) => setOwn(event.currentTarget.checked)} />
        <span role="status" className="soft">{shown.length} of {data.length}</span>
      </div>
      <Panel flush>
        <ul className="stages">{shown.map((each) => <Setting key={each.name} of={each} />)}</ul>
        {shown.length === 0 && <p className="panel-body soft">no setting is like this</p>}
      </Panel>
    </Screen>
  );
}

function Setting({ of }: { readonly of: SettingView }) {
  return (
    <li style={{ gridTemplateColumns: "minmax(0, 18rem) minmax(0, 14rem) 1fr" }}>
      <span><code>{of.name}</code><br /><span className="soft mono">{of.variable}</span></span>
      <span><code>{of.value}</code>{of.chosen && <><br /><span className="soft">default <code>{of.default}</code></span></>}</span>
      <span>{of.sentence}</span>
    </li>
  );
}
