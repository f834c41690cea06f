import { assert, describe, it } from "@effect/vitest"
import * as Wish from "./Wish.js"

const empty: Wish.Fields = { org: "", operation: "enroll", name: "", group: "", target: "", periods: "", initialBalance: "", resetStreak: "", rate: "" }

describe("Wish", () => {
  it("asks for what was filled in and for nothing else", () => {
    assert.strictEqual(Wish.queryOf(empty, false), "operation=enroll")
    assert.strictEqual(
      Wish.queryOf({ ...empty, org: "brand", name: "a & b.csv", group: "2154", periods: "Cycle_1\n\n Cycle_2 ", rate: "600 / min" }, true),
      "org=brand&operation=enroll&name=a+%26+b.csv&group=2154&period=Cycle_1&period=Cycle_2&rate=600%2Fmin&dryRun=true"
    )
  })

  it("names the fields that are wrong", () => {
    assert.deepStrictEqual(Wish.mistakes({ ...empty, group: "2154", target: "2309", initialBalance: "resume", rate: "1.5/s" }), {})
    assert.deepStrictEqual(Object.keys(Wish.mistakes({ ...empty, group: "0", target: "x", initialBalance: "1e3", rate: "fast" })), ["group", "target", "initialBalance", "rate"])
  })

  it("knows a file by its name", () => {
    assert.deepStrictEqual(["a.csv", "a.NDJSON", "a.jsonl", "a"].map(Wish.typeOf), ["text/csv", "application/x-ndjson", "application/x-ndjson", "text/csv"])
    assert.deepStrictEqual(
      [Wish.refusal("a.csv", 1), Wish.refusal("a.csv", 0) === null, Wish.refusal("a.csv.gz", 1) === null, Wish.refusal("a.xlsx", 1) === null],
      [null, false, false, false]
    )
  })

  it("is known by a name of its own", () => {
    assert.match(Wish.idempotencyKey(), /^page-[0-9a-f]{32}$/)
    assert.notStrictEqual(Wish.idempotencyKey(), Wish.idempotencyKey())
  })
})
