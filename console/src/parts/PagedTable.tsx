import { Button } from "@mantine/core";
import { type InfiniteData, type QueryKey, useInfiniteQuery } from "@tanstack/react-query";
import { type ColumnDef, flexRender, getCoreRowModel, useReactTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { Failed } from "./Failed";

/** One page as the API gives it; `next` is empty or absent on the last. */
export interface PageOf<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** Columns of rows of one kind. Each has a type of value of its own, which no list can say: hence `any`. */
export type Columns<T> = ColumnDef<T, any>[];

interface Props<T> {
  /** What the table is called, for readers of screens. */
  readonly label: string;
  readonly queryKey: QueryKey;
  readonly fetchPage: (cursor: string) => Promise<PageOf<T>>;
  readonly columns: Columns<T>;
  readonly rowId: (row: T) => string;
  readonly empty: ReactNode;
  /** Beside the count, as the total that the server knows. */
  readonly foot?: ReactNode;
}

const ROW = 38; // pixels; the style sheet gives rows this height
const AHEAD = 12; // rows before the end at which the next page is fetched

/** A table of any length: pages by key from the server as one scrolls, and only the rows in sight are drawn. */
export function PagedTable<T>({ label, queryKey, fetchPage, columns, rowId, empty, foot }: Props<T>) {
  const query = useInfiniteQuery<PageOf<T>, Error, InfiniteData<PageOf<T>, string>, QueryKey, string>({
    queryKey,
    queryFn: ({ pageParam }) => fetchPage(pageParam),
    initialPageParam: "",
    getNextPageParam: (last) => last.next || undefined,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const table = useReactTable({ data: rows, columns, getRowId: rowId, getCoreRowModel: getCoreRowModel() });
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  const seen = virtual.getVirtualItems();
  const end = seen.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && rows.length > 0 && end >= rows.length - AHEAD) void fetchNextPage();
  }, [end, rows.length, hasNextPage, isFetchingNextPage, fetchNextPage]);
  if (query.isError && rows.length === 0) return <Failed error={query.error} again={() => void query.refetch()} />;
  if (query.isSuccess && rows.length === 0) return <div className="panel">{empty}</div>;
  const above = seen[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (seen.at(-1)?.end ?? 0);
  const width = columns.length;
  return (
    <div className="panel" aria-busy={query.isPending}>
      <div className="table-scroll" ref={scroll} tabIndex={0} role="region" aria-label={label}>
        <table className="table" aria-label={label} aria-rowcount={hasNextPage ? -1 : rows.length + 1}>
          <thead>
            <tr>
              {table.getFlatHeaders().map((header) => (
                <th key={header.id} scope="col" style={{ width: header.column.columnDef.size }}>
                  {flexRender(header.column.columnDef.header, header.getContext())}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {above > 0 && <Space height={above} width={width} />}
            {seen.map(({ index }) => {
              const row = table.getRowModel().rows[index];
              return row && (
                <tr key={row.id} aria-rowindex={index + 2}>
                  {row.getVisibleCells().map((cell) => (
                    <td key={cell.id}>{flexRender(cell.column.columnDef.cell, cell.getContext())}</td>
                  ))}
                </tr>
              );
            })}
            {below > 0 && <Space height={below} width={width} />}
          </tbody>
        </table>
      </div>
      <div className="table-foot">
        <span role="status">{query.isPending ? "loading" : `${rows.length.toLocaleString("en")} shown${hasNextPage ? ", more below" : ""}`}</span>
        {foot}
        {query.isError && <Button size="compact-xs" variant="default" onClick={() => void query.refetch()}>The last try failed: try again</Button>}
      </div>
    </div>
  );
}

function Space({ height, width }: { readonly height: number; readonly width: number }) {
  return (
    <tr className="space" aria-hidden="true">
      <td colSpan={width} style={{ height }} />
    </tr>
  );
}
