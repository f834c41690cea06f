import { assert, describe, it } from "@effect/vitest"
import { stringify } from "csv-stringify/sync"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as CsvRows from "./CsvRows.js"
import type { Row } from "./Row.js"

const readAll = (chunks: ReadonlyArray<Uint8Array>) =>
  Effect.gen(function*() {
    const reader = CsvRows.make("input.csv")
    const rows: Array<Row> = []
    for (const chunk of chunks) rows.push(...((yield* reader.push(chunk))?.rows ?? []))
    rows.push(...((yield* reader.end)?.rows ?? []))
    return rows
  })

const inChunks = (bytes: Uint8Array, size: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.slice(index * size, (index + 1) * size))

const text = (value: string): ReadonlyArray<Uint8Array> => [Buffer.from(value)]

const cell = FastCheck.string({ maxLength: 12, unit: FastCheck.constantFrom("a", "é", "\"", ",", "\n", "\r\n", " ", "7", "€", "😀") })

describe("CsvRows", () => {
  it.effect.prop(
    "whatever is written comes back, however it is cut into chunks, with line numbers and original bytes",
    [FastCheck.array(FastCheck.tuple(cell, cell), { maxLength: 20 }), FastCheck.integer({ min: 1, max: 40 }), FastCheck.boolean()],
    ([cells, size, windows]) =>
      Effect.gen(function*() {
        const records = cells.map(([left, right], index) => [String(index + 1), left, right])
        const written = stringify([["customerId", "left", "right"], ...records], {
          quoted: true,
          record_delimiter: windows ? "windows" : "unix"
        })
        const bytes = Buffer.from(written)
        const rows = yield* readAll(inChunks(bytes, size))
        assert.deepStrictEqual(rows.map((row) => row.cells), records)
        assert.isTrue(rows.every((row) => row._tag === "Readable"))
        const header = written.indexOf("\n") + 1
        assert.strictEqual(Buffer.concat(rows.map((row) => row.bytes)).toString(), written.slice(header))
        let before = header
        for (const row of rows) {
          assert.strictEqual(row.line, written.slice(0, before).split("\n").length)
          before += Buffer.from(row.bytes).toString().length
        }
      })
  )

  it.effect("blank lines are skipped and counted", () =>
    Effect.gen(function*() {
      const rows = yield* readAll(text("customerId\r\n\r\n1\r\n\n\n2\n"))
      assert.deepStrictEqual(rows.map((row) => [row.line, ...row.cells]), [[3, "1"], [6, "2"]])
    }))

  it.effect("a broken record costs its own line and nothing behind it, wherever the chunks are cut", () =>
    Effect.gen(function*() {
      const broken = "customerId,note\n1,a\n2,\"open\n3,b\n4,in\"side\n5,c\n6,\"x\"y\n7,d\n8,\"never closed\n9,e\n"
      for (const size of [1, 3, 7, 1000]) {
        const rows = yield* readAll(inChunks(Buffer.from(broken), size))
        const readable = rows.filter((row) => row._tag === "Readable").map((row) => row.cells[0])
        const unreadable = rows.filter((row) => row._tag === "Unreadable").map((row) => row.line)
        assert.deepStrictEqual(readable, ["1", "3", "5", "7", "9"])
        assert.deepStrictEqual(unreadable, [3, 5, 7, 9])
        assert.strictEqual(
          Buffer.concat(rows.map((row) => row.bytes)).toString(),
          broken.slice(broken.indexOf("\n") + 1)
        )
      }
    }))

  it.effect("a record longer than the limit is given up after its first line, not read into memory", () =>
    Effect.gen(function*() {
      const long = Buffer.from(`customerId,note\n1,"${"x".repeat(3 * CsvRows.longestRecord)}\n2,b\n`)
      const rows = yield* readAll(inChunks(long, 65_536))
      assert.deepStrictEqual(rows.map((row) => [row._tag, row.line]), [["Unreadable", 2], ["Readable", 3]])
    }))

  it.effect("a ragged row says how many cells it has and how many it should have", () =>
    Effect.gen(function*() {
      const [short, long] = yield* readAll(text("customerId,a\n1\n2,b,c\n"))
      assert.strictEqual(short?._tag === "Unreadable" ? short.problem : "", "line 2: has 1 cell where the header has 2")
      assert.strictEqual(long?._tag === "Unreadable" ? long.problem : "", "line 3: has 3 cells where the header has 2")
    }))

  it.effect("columns are found without regard to case, order and surrounding blanks", () =>
    Effect.gen(function*() {
      const [row] = yield* readAll(text(" PERIODNAME ,customerid,Note\nCycle_1, 17 ,x\n"))
      assert.deepInclude(row?._tag === "Readable" ? row.fields : {}, { customerId: "17", periodName: "Cycle_1", targetId: undefined })
    }))
})
