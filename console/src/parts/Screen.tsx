import { type ReactNode, useEffect, useRef } from "react";

interface Props {
  readonly title: string;
  /** Shown instead of the title where that is more than plain words. */
  readonly heading?: ReactNode;
  readonly about?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

let arrived = false;

/** One screen: its heading, what can be done with the whole of it, its contents. */
export function Screen({ title, heading, about, actions, children }: Props) {
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Remit`;
    // A new screen has the focus at its heading, as a new page would; the first one leaves it to the browser.
    if (arrived) head.current?.focus();
    arrived = true;
  }, [title]);
  return (
    <div className="screen">
      <header className="screen-head">
        <div>
          <h1 tabIndex={-1} ref={head}>{heading ?? title}</h1>
          {about && <div className="soft">{about}</div>}
        </div>
        {actions && <div className="split">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export function Panel({ title, children, flush = false }: { readonly title?: ReactNode; readonly children: ReactNode; readonly flush?: boolean }) {
  return (
    <section className="panel">
      {title && <h2>{title}</h2>}
      {flush ? children : <div className="panel-body">{children}</div>}
    </section>
  );
}

/** Pairs of a word and what it says; pairs without a value are left out. */
export function Facts({ of }: { readonly of: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {of.filter(([, value]) => value !== "" && value !== undefined && value !== null && value !== false).map(([word, value]) => (
        <div key={word} style={{ display: "contents" }}>
          <dt>{word}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
