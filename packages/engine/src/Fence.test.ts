import { assert, describe, it } from "@effect/vitest"
import * as Ids from "@milepost/core/Ids"
import type * as Transport from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import * as Lane from "@milepost/ledger/Lane"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fence from "./Fence.js"

const request = (customer: number): Transport.Request => ({
  operation: "enroll",
  method: "POST",
  path: "/x",
  body: "[]",
  customerId: Either.getOrThrow(Ids.customerId(customer))
})

const answer: Transport.Response = { status: 200, headers: {}, body: "{}", requestId: null }

/** A transport that keeps its calls until the test ends them, and who is inside which lane. */
const rig = () => {
  const sent: Array<(exit: Exit.Exit<Transport.Response, TransportError>) => void> = []
  const inside: Array<number> = []
  let held: ReadonlySet<number> = new Set()
  const begin: NonNullable<Fence.Inner["begin"]> = (_, ended) => void sent.push(ended)
  const fenced = Fence.around({
    lanes: 64,
    enter: (lane) => {
      if (!held.has(lane)) return null
      inside.push(lane)
      return () => void inside.splice(inside.indexOf(lane), 1)
    }
  }, { begin, send: (request) => Effect.async((resume) => begin(request, resume)) })
  return { fenced, inside, sent, hold: (...lanes: ReadonlyArray<number>) => void (held = new Set(lanes)) }
}

const laneOfSeven = Lane.of(7, 64)

describe("Fence", () => {
  it("lets nothing out for a lane that this replica does not have", () => {
    const { fenced, hold, sent } = rig()
    hold(laneOfSeven + 1)
    let ended: Exit.Exit<Transport.Response, TransportError> | undefined
    fenced.begin?.(request(7), (exit) => void (ended = exit))
    assert.deepStrictEqual(ended, Exit.fail(Fence.notOurs))
    assert.deepStrictEqual(Effect.runSyncExit(fenced.send(request(7))), Exit.fail(Fence.notOurs))
    assert.strictEqual(sent.length, 0)
  })

  it("looks at the moment at which a call leaves", () => {
    const { fenced, hold, sent } = rig()
    hold(laneOfSeven)
    const call = fenced.send(request(7))
    hold()
    assert.deepStrictEqual(Effect.runSyncExit(call), Exit.fail(Fence.notOurs))
    assert.strictEqual(sent.length, 0)
  })

  it.effect("does nothing else between that look and the call, wherever a fiber gives way", () =>
    Effect.gen(function*() {
      const { fenced, hold, inside, sent } = rig()
      hold(laneOfSeven)
      let between = 0
      for (let before = 0; before < 32; before++) {
        const steps = Effect.forEach(Array.from({ length: before }), () => Effect.void, { discard: true })
        const fiber = yield* Effect.fork(Effect.withMaxOpsBeforeYield(Effect.zipRight(steps, fenced.send(request(7))), 32))
        while (sent.length === 0) {
          between += inside.length
          yield* Effect.yieldNow()
        }
        assert.deepStrictEqual(inside, [laneOfSeven])
        sent.pop()?.(Exit.succeed(answer))
        yield* fiber
      }
      assert.strictEqual(between, 0)
    }))

  it.effect("counts a call as inside until it has ended, by either door", () =>
    Effect.gen(function*() {
      const { fenced, hold, inside, sent } = rig()
      hold(laneOfSeven)
      fenced.begin?.(request(7), () => assert.deepStrictEqual(inside, []))
      assert.deepStrictEqual(inside, [laneOfSeven])
      sent[0]!(Exit.succeed(answer))
      assert.deepStrictEqual(inside, [])
      const fiber = yield* Effect.fork(fenced.send(request(7)))
      yield* Effect.yieldNow()
      assert.deepStrictEqual(inside, [laneOfSeven])
      sent[1]!(Exit.succeed(answer))
      yield* fiber
      assert.deepStrictEqual(inside, [])
    }))
})
