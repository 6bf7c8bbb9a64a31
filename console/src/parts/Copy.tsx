import { Button, Menu } from "@mantine/core";
import { base } from "../page";
import { say } from "./toasts";

async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  say("copied");
}

/** A button that copies one text. */
export function Copy({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <Button size="compact-xs" variant="default" onClick={() => void copy(text)}>
      {label}
    </Button>
  );
}

interface Props {
  /** The same by the command line, as `remit why dec_…`. */
  readonly command?: string;
  /** The same by the API, as `GET /api/v1/decisions/dec_…`. */
  readonly request: string;
}

/** What every screen offers: itself as a command, as a request, and its address for a colleague. */
export function CopyAs({ command, request }: Props) {
  const [method = "GET", path = ""] = request.split(" ", 2);
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default">Copy as…</Button>
      </Menu.Target>
      <Menu.Dropdown>
        {command && <Menu.Item onClick={() => void copy(command)}>command</Menu.Item>}
        <Menu.Item onClick={() => void copy(`${method} ${window.location.origin}${base}${path}`)}>request</Menu.Item>
        <Menu.Item onClick={() => void copy(window.location.href)}>address of this screen</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
