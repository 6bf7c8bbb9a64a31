import { Background, Controls, type Edge, Handle, type Node, type NodeProps, Position, ReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useMemo } from "react";
import type { EdgeView, GraphView, NodeView } from "../../api/schema";
import { useMantineColorScheme } from "@mantine/core";
import { To } from "../../parts/links";
import { Untrusted } from "../../parts/Untrusted";

const WIDE = 310; // between columns, in pixels
const HIGH = 110; // between rows
const STEP = 70; // each hop stands lower than the one before, so that no step runs through somebody else

type Seat = Node<{ readonly of: NodeView }, "seat">;

/** The chain as a picture: who asked on the left, tools on the right; brokers dashed, what is dead struck out. */
export function Drawing({ of }: { readonly of: GraphView }) {
  const { nodes, edges } = useMemo(() => placed(of), [of]);
  const { colorScheme } = useMantineColorScheme();
  return (
    <div style={{ height: "24rem" }} role="group" aria-label="The chain as a picture; the same stands below in words">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={{ seat: SeatNode }}
        colorMode={colorScheme === "auto" ? "system" : colorScheme}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        fitView
        fitViewOptions={{ maxZoom: 1 }}
        proOptions={{ hideAttribution: true }}
      >
        <Background />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

function SeatNode({ data: { of } }: NodeProps<Seat>) {
  return (
    <div className="panel" style={{ padding: ".5rem .75rem", width: 200, opacity: of.dead ? 0.75 : 1 }}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <div className="soft">{of.kind}{of.dead && <> <span className="tag tag-deny">stopped</span></>}</div>
      <div style={{ textDecoration: of.dead ? "line-through" : "none", overflow: "hidden", textOverflow: "ellipsis" }}>
        <To id={of.kind === "agent" ? of.subject : `.${of.subject}`}><Untrusted own>{of.name}</Untrusted></To>
      </div>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}

/** Columns by distance from whoever asked; tools in the last one. */
function placed(of: GraphView): { nodes: Seat[]; edges: Edge[] } {
  const depth = depths(of);
  const last = Math.max(0, ...depth.values()) + 1;
  const rows = new Map<number, number>();
  const nodes = of.nodes.map((node): Seat => {
    const column = node.kind === "tool" ? last : (depth.get(node.id) ?? 0);
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return { id: node.id, type: "seat", position: { x: column * WIDE, y: row * HIGH + (node.kind === "tool" ? 0 : column * STEP) }, data: { of: node }, draggable: true };
  });
  return { nodes, edges: of.edges.map(drawn) };
}

function depths(of: GraphView): Map<string, number> {
  const found = new Map<string, number>([["origin", 0]]);
  // Edges come in the order of hops: whoever gives is placed before whoever takes.
  for (const edge of of.edges) {
    if (edge.way !== "calls") found.set(edge.target, (found.get(edge.source) ?? 0) + 1);
  }
  return found;
}

function drawn(edge: EdgeView): Edge {
  const ink = edge.revoked ? "var(--deny)" : edge.way === "broker" ? "var(--step)" : "var(--soft)";
  return {
    id: `${edge.source} ${edge.target}`,
    source: edge.source,
    target: edge.target,
    label: said(edge),
    style: { stroke: ink, strokeWidth: 1.5, ...(edge.way === "broker" ? { strokeDasharray: "6 4" } : {}) },
    labelStyle: { fill: "var(--ink)" },
    labelBgStyle: { fill: "var(--paper)" },
  };
}

function said({ way, revoked, narrowed, effects }: EdgeView): string {
  if (way === "calls") return Object.entries(effects ?? {}).map(([effect, count]) => `${count} ${effect}`).join(", ");
  const lost = narrowed?.lost.length ? `, −${narrowed.lost.length} rights` : "";
  return `${way}${lost}${revoked ? ", revoked" : ""}`;
}
