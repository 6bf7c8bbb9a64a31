import { Button, Group, Modal } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../api/client";
import type { PolicyView } from "../../api/schema";
import { State } from "../../parts/Effect";
import { Failed } from "../../parts/Failed";
import { To } from "../../parts/links";
import { Panel } from "../../parts/Screen";
import { say } from "../../parts/toasts";
import { When } from "../../parts/When";
import { inForce, versionsPage } from "./data";

/** Every version that was published; an older text comes back as a new version. */
export function Versions({ look }: { readonly look: (version: PolicyView) => void }) {
  const found = useInfiniteQuery({
    queryKey: ["policies", "versions"],
    queryFn: ({ pageParam }) => versionsPage(pageParam),
    initialPageParam: "",
    getNextPageParam: (last) => last.next || undefined,
  });
  if (found.isError) return <Failed error={found.error} />;
  const versions = found.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Panel title="Versions" flush>
      {versions.length === 0 && <p className="panel-body soft">none yet: the first one that is published appears here</p>}
      <ul className="stages">
        {versions.map((each) => (
          <li key={each.version}>
            <strong>version {each.version}</strong>
            <State of={each.state} />
            <div className="split">
              <span><When at={each.published_at} /> by <To id={each.published_by} /> {each.signed ? "signed" : "from before versions were signed"}{each.canary && <>, tried on {each.canary.percent} %</>}</span>
              <Group gap="xs">
                <Button size="compact-xs" variant="default" onClick={() => look(each)}>Edit this text</Button>
                {each.state !== "in force" && <Back to={each.version} />}
              </Group>
            </div>
          </li>
        ))}
      </ul>
      {found.hasNextPage && <p className="panel-body"><Button variant="default" loading={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>Older ones</Button></p>}
    </Panel>
  );
}

function Back({ to }: { readonly to: number }) {
  const queries = useQueryClient();
  const [opened, { open, close }] = useDisclosure();
  const back = useMutation({
    mutationFn: () => body(api.POST("/api/v1/policies/rollback", { body: { to } })),
    onSuccess: (made) => {
      say(inForce(made, to));
      close();
      return queries.invalidateQueries({ queryKey: ["policies"] });
    },
  });
  return (
    <>
      <Button size="compact-xs" variant="default" onClick={open}>Roll back to it…</Button>
      <Modal opened={opened} onClose={close} title={`Roll back to version ${to}`} transitionProps={{ duration: 0 }} closeButtonProps={{ "aria-label": "Close" }}>
        <p>Its text is in force for everybody at once, as a new version; nothing that was published is lost.</p>
        {back.isError && <Failed error={back.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>Cancel</Button>
          <Button loading={back.isPending} onClick={() => back.mutate()}>Roll back</Button>
        </Group>
      </Modal>
    </>
  );
}
