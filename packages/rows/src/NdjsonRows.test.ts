import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as NdjsonRows from "./NdjsonRows.js"
import type { Row } from "./Row.js"

const readAll = (chunks: ReadonlyArray<Uint8Array>) =>
  Effect.gen(function*() {
    const reader = NdjsonRows.make("input.ndjson")
    const rows: Array<Row> = []
    for (const chunk of chunks) rows.push(...((yield* reader.push(chunk))?.rows ?? []))
    rows.push(...((yield* reader.end)?.rows ?? []))
    return rows
  })

describe("NdjsonRows", () => {
  it.effect.prop(
    "lines come back in order with their numbers, however they are cut into chunks",
    [FastCheck.array(FastCheck.string({ unit: "grapheme", maxLength: 8 }), { minLength: 1, maxLength: 20 }), FastCheck.integer({ min: 1, max: 30 })],
    ([notes, size]) =>
      Effect.gen(function*() {
        const bytes = Buffer.from(notes.map((note, index) => JSON.stringify({ customerId: index + 1, note })).join("\n"))
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
        const rows = yield* readAll(chunks)
        assert.deepStrictEqual(rows.map((row) => row.line), notes.map((_, index) => index + 1))
        assert.deepStrictEqual(
          rows.map((row) => row._tag === "Readable" ? row.fields.customerId : null),
          notes.map((_, index) => index + 1)
        )
      })
  )

  it.effect("null, absent and a text stay three different things", () =>
    Effect.gen(function*() {
      const rows = yield* readAll([
        Buffer.from("{\"customerId\":1,\"initialBalance\":null}\n{\"customerId\":1}\n\n{\"CUSTOMERID\":\"1\",\"initialBalance\":\"resume\"}\n")
      ])
      assert.deepStrictEqual(
        rows.map((row) => row._tag === "Readable" ? row.fields.initialBalance : "unreadable"),
        [null, undefined, "resume"]
      )
      assert.deepStrictEqual(rows.map((row) => row.line), [1, 2, 4])
    }))

  it.effect("a line that is no object is a bad row that says so", () =>
    Effect.gen(function*() {
      const rows = yield* readAll([Buffer.from("[1]\n{\"customerId\":\nnull\n{\"customerId\":{}}\n{\"customerId\":2}\n")])
      assert.deepStrictEqual(rows.map((row) => row._tag), ["Unreadable", "Unreadable", "Unreadable", "Unreadable", "Readable"])
      assert.deepStrictEqual(rows[0]?._tag === "Unreadable" ? rows[0].problem : "", "line 1: is not a JSON object: [1]")
    }))

  it.effect("a line beyond the limit is a bad row, and is not kept whole", () =>
    Effect.gen(function*() {
      const long = Buffer.alloc(3 * NdjsonRows.longestLine, "x")
      const rows = yield* readAll([long, long, Buffer.from("\n{\"customerId\":2}\n")])
      assert.deepStrictEqual(rows.map((row) => row._tag), ["Unreadable", "Readable"])
    }))
})
