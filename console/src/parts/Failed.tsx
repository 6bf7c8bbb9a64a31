import { Button } from "@mantine/core";
import { problem } from "../api/client";

interface Props {
  readonly error: unknown;
  readonly again?: () => void;
}

/** What the server refused, in its own words, with its own next step. */
export function Failed({ error, again }: Props) {
  const told = problem(error);
  return (
    <section className="failed" role="alert">
      <h2>{told.title}</h2>
      <p>{told.detail}</p>
      {told.next && (
        <p>
          next: <code>{told.next}</code>
        </p>
      )}
      <p className="soft">
        <code>{told.code}</code>
        {told.request_id && <> · request <code>{told.request_id}</code></>}
      </p>
      {again && (
        <Button variant="default" mt="xs" onClick={again}>
          Try again
        </Button>
      )}
    </section>
  );
}
