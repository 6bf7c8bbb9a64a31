import type { ReactNode } from "react";
import { Copy } from "./Copy";

interface Props {
  readonly title: string;
  /** What will appear here. */
  readonly children: ReactNode;
  /** The command by which the first one comes about. */
  readonly command?: string;
}

/** A screen with nothing on it says what will appear, and how to get the first. */
export function Empty({ title, children, command }: Props) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      <p>{children}</p>
      {command && (
        <p>
          <code>{command}</code> <Copy text={command} label="Copy" />
        </p>
      )}
    </div>
  );
}
