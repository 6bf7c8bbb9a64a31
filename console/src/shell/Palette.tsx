import { Modal, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useState } from "react";
import type { Me } from "../api/me";
import { type Hit, search } from "../api/search";
import { Untrusted } from "../parts/Untrusted";
import { entries } from "./nav";

const PAUSE = 150; // milliseconds of rest in typing before the server is asked
const SHORTEST = 2;

/** ⌘K: go to any screen, or to anything by its id or name. */
export function Palette({ me, close }: { readonly me: Me; readonly close: () => void }) {
  const [text, setText] = useState("");
  const [asked] = useDebouncedValue(text.trim(), PAUSE);
  const navigate = useNavigate();
  const found = useQuery({ queryKey: ["search", asked], queryFn: () => search(asked), enabled: asked.length >= SHORTEST });
  const hits = [...screens(me, text), ...(asked === text.trim() ? (found.data ?? []) : [])];
  const [place, setPlace] = useState(0);
  useEffect(() => setPlace(0), [text]);
  const chosen = Math.min(place, Math.max(0, hits.length - 1));
  const go = (hit: Hit | undefined) => {
    if (!hit) return;
    close();
    void navigate({ to: hit.to });
  };
  const press = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step && hits.length) setPlace((chosen + step + hits.length) % hits.length);
    if (event.key === "Enter") go(hits[chosen]);
    if (step || event.key === "Enter") event.preventDefault();
  };
  return (
    <Modal opened onClose={close} title="Go to" size="lg" yOffset="10vh" transitionProps={{ duration: 0 }} closeButtonProps={{ "aria-label": "Close" }}>
      <TextInput
        data-autofocus
        aria-label="Search by id or name"
        placeholder="Screen, id, or name"
        value={text}
        maxLength={128}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={press}
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        aria-activedescendant={hits.length ? `hit-${chosen}` : undefined}
      />
      <ul id="palette-list" className="palette-list" role="listbox" aria-label="Found">
        {hits.map((hit, index) => (
          <li key={`${hit.kind} ${hit.id}`} id={`hit-${index}`} role="option" aria-selected={index === chosen} onClick={() => go(hit)} onMouseMove={() => setPlace(index)}>
            {hit.kind === "screen" ? hit.label : <span><Untrusted own>{hit.label}</Untrusted></span>}
            <span className="soft">{hit.kind}</span>
          </li>
        ))}
      </ul>
      <p className="soft" role="status">{said(asked, hits.length, found.isFetching)}</p>
    </Modal>
  );
}

function said(asked: string, hits: number, busy: boolean): string {
  if (busy) return "searching";
  return asked.length >= SHORTEST && hits === 0 ? "nothing is called that" : `${hits} found`;
}

function screens(me: Me, text: string): Hit[] {
  const wanted = text.trim().toLowerCase();
  return entries
    .filter((each) => (each.for?.(me) ?? true) && each.label.toLowerCase().includes(wanted))
    .map((each) => ({ id: each.to, label: each.label, kind: "screen", to: each.to }));
}
