/** Plain tables without lines, for terminals and logs alike. */
import CliTable from "cli-table3"

const bare = {
  "top": "", "top-mid": "", "top-left": "", "top-right": "",
  "bottom": "", "bottom-mid": "", "bottom-left": "", "bottom-right": "",
  "left": "", "left-mid": "", "mid": "", "mid-mid": "", "right": "", "right-mid": "", "middle": "  "
}

/** Renders rows under headings; columns listed in `right` are aligned to the right. */
export const render = (options: {
  readonly head?: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  readonly right?: ReadonlyArray<number>
}): string => {
  const columns = Math.max(options.head?.length ?? 0, ...options.rows.map((row) => row.length))
  const table = new CliTable({
    ...(options.head === undefined ? {} : { head: [...options.head] }),
    chars: bare,
    colAligns: Array.from({ length: columns }, (_, column) => options.right?.includes(column) ? "right" : "left"),
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true }
  })
  table.push(...options.rows.map((row) => [...row]))
  return table.toString().split("\n").map((line) => line.trimEnd()).join("\n")
}
