import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Journal from "./Journal.js"

const call = (customerId: number): Omit<Journal.Entry, "sequence"> => ({
  atMillis: 0,
  virtualMillis: 0,
  operation: "enroll",
  customerId,
  targetGroupId: 1,
  targetId: 2,
  periodName: "C1",
  status: 200,
  code: null,
  executed: true,
  overlapped: false,
  fault: null
})

describe("Journal", () => {
  it.effect("keeps the last calls in order, while its counts stay complete", () =>
    Effect.gen(function*() {
      const journal = Journal.make(3)
      for (let customerId = 1; customerId <= 8; customerId++) journal.unsafeAdd(call(customerId))
      expect((yield* journal.entries).map(({ customerId, sequence }) => [sequence, customerId])).toEqual([[6, 6], [7, 7], [8, 8]])
      expect(yield* journal.counts).toEqual({
        received: 8,
        executed: 8,
        overlaps: 0,
        byOperation: { enroll: 8 },
        byStatus: { "200": 8 },
        byCode: {}
      })
    }))

  it.effect("counts by code and by status, and what got no answer", () =>
    Effect.gen(function*() {
      const journal = Journal.make(0)
      journal.unsafeAdd({ ...call(1), code: 310119, executed: false })
      journal.unsafeAdd({ ...call(1), status: null, overlapped: true })
      expect(yield* journal.counts).toMatchObject({ overlaps: 1, byStatus: { "200": 1, none: 1 }, byCode: { "310119": 1 } })
      expect(yield* journal.entries).toEqual([])
      yield* journal.clear
      expect(yield* journal.counts).toMatchObject({ received: 0, byStatus: {} })
    }))
})
