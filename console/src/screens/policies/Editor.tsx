import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, linter, lintGutter } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import type { FaultView } from "../../api/schema";
import { nonce } from "../../page";

const WORDS = /(permit|forbid|when|unless|principal|action|resource|context|in|is|has|like|if|then|else|true|false)\b/;

const cedar = StreamLanguage.define<null>({
  token: (stream) => {
    if (stream.match(/\/\/.*/)) return "comment";
    if (stream.match(/"(?:[^"\\]|\\.)*"/)) return "string";
    if (stream.match(/@[a-z_]+/)) return "meta";
    if (stream.match(WORDS)) return "keyword";
    if (stream.match(/[0-9]+/)) return "number";
    if (stream.match(/[A-Za-z_][A-Za-z0-9_]*/)) return null;
    stream.next();
    return null;
  },
});

const ink = HighlightStyle.define([
  { tag: tags.comment, color: "var(--soft)" },
  { tag: tags.string, color: "var(--permit)" },
  { tag: tags.meta, color: "var(--step)" },
  { tag: tags.keyword, color: "var(--link)", fontWeight: "600" },
  { tag: tags.number, color: "var(--ask)" },
]);

const look = EditorView.theme({
  "&": { fontSize: "0.8125rem", maxHeight: "30rem", backgroundColor: "var(--paper)", color: "var(--ink)" },
  ".cm-scroller": { overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--ground)", color: "var(--soft)", border: "0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--lit) !important" },
  // Plain marks in place of CodeMirror's images, which are `data:` addresses: the page's policy loads none.
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--deny)" },
  ".cm-lint-marker-error": { content: "normal", backgroundColor: "var(--deny)", borderRadius: "50%", height: ".6rem", width: ".6rem" },
  ".cm-lintPoint-error:after": { borderBottomColor: "var(--deny)" },
  ".cm-tooltip": { backgroundColor: "var(--paper)", color: "var(--ink)", border: "1px solid var(--line)" },
});

interface Props {
  readonly label: string;
  readonly text: string;
  readonly change: (text: string) => void;
  /** Asked each time that one rests; what it finds is marked in the text. */
  readonly faults?: (text: string) => Promise<readonly FaultView[]>;
}

const REST = 500; // milliseconds without a key until the text is checked

/** A text that is edited, with what is wrong marked where it stands. Tab leaves it, as every other field. */
export function Editor({ label, text, change, faults }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef({ change, faults });
  useEffect(() => {
    latest.current = { change, faults };
  });
  useEffect(() => {
    const checked = linter(async ({ state }) => marks(state, (await latest.current.faults?.(state.doc.toString())) ?? []), { delay: REST });
    const made = new EditorView({
      parent: place.current as HTMLElement,
      state: EditorState.create({
        doc: text,
        extensions: [
          EditorView.cspNonce.of(nonce()),
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          EditorView.lineWrapping,
          keymap.of([...defaultKeymap, ...historyKeymap]),
          cedar,
          syntaxHighlighting(ink),
          look,
          lintGutter(),
          checked,
          EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
          EditorView.updateListener.of((update) => update.docChanged && latest.current.change(update.state.doc.toString())),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
    // Made once: the text that it holds is its own from then on, and follows `text` below.
  }, [label]);
  useEffect(() => {
    const now = view.current;
    if (now && now.state.doc.toString() !== text) now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: text } });
  }, [text]);
  return <div ref={place} style={{ border: "1px solid var(--line)", borderRadius: 4 }} />;
}

/** Faults at their line and column, counted from 1; one without a place is at the beginning. */
function marks(state: EditorState, found: readonly FaultView[]): Diagnostic[] {
  return found.map((fault) => {
    const line = state.doc.line(Math.min(Math.max(1, fault.line ?? 1), state.doc.lines));
    const from = Math.min(line.from + Math.max(0, (fault.column ?? 1) - 1), line.to);
    return { from, to: line.to, severity: "error", message: fault.hint ? `${fault.sentence}; ${fault.hint}` : fault.sentence };
  });
}
