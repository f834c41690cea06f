import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Transport from "@milepost/core/Transport"
import { NoAnswer } from "@milepost/core/TransportError"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Ids from "@milepost/core/Ids"
import * as InputFile from "../input/InputFile.js"
import * as BulkEnroll from "./BulkEnroll.js"
import { Cancellation } from "./Cancellation.js"
import * as Plan from "./Plan.js"
import * as RunFolder from "./RunFolder.js"
import * as Tally from "./Tally.js"

/** A clock whose sleeps end at once and move it on: hours of waiting take no time, and real files are read meanwhile. */
const jumping = (): Clock.Clock => {
  const clock = Clock.make()
  let millis = 1_700_000_000_000
  return {
    ...clock,
    unsafeCurrentTimeMillis: () => millis,
    currentTimeMillis: Effect.sync(() => millis),
    sleep: (duration) =>
      Effect.sync(() => {
        millis += Duration.toMillis(duration)
      })
  }
}

const accepted = (request: Transport.Request): Transport.Response => ({
  status: 200,
  headers: {},
  body: `{"data":${request.customerId},"errors":null,"warnings":null}`,
  requestId: null
})

const answer = (status: number, headers: Transport.Response["headers"] = {}): Transport.Response => ({
  status,
  headers,
  body: "",
  requestId: null
})

const targetGroupId = Either.getOrThrow(Ids.targetGroupId(1))
const targetId = Either.getOrThrow(Ids.targetId(2))

const defaults = {
  targetGroupId,
  targetId,
  periodNames: ["Cycle_1"],
  initialBalance: undefined,
  resetStreakStatus: undefined
}

/** Runs a file of so many customers, one call at a time, and tells how it ended and what was sent. */
const running = (customers: number, send: Transport.Service["send"]) =>
  Effect.scoped(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    const path = `${folder}/input.csv`
    yield* files.writeFileString(path, `customerId\n${Array.from({ length: customers }, (_, index) => index + 1).join("\n")}\n`)
    const file = yield* InputFile.open({ path, name: "input.csv", format: undefined })
    const plan = yield* Plan.make(file, defaults)
    const tally = Tally.make()
    const sent: Array<number> = []
    const ended = yield* BulkEnroll.run({
      file,
      defaults,
      plan,
      folder: yield* RunFolder.make(`${folder}/runs`),
      concurrency: 1,
      tally
    }).pipe(
      Effect.provide(Transport.layer((request) =>
        Effect.suspend(() => {
          sent.push(request.customerId)
          return send(request)
        })
      )),
      Effect.withClock(jumping())
    )
    return { ended, sent, tally }
  })).pipe(
    Effect.provide(Layer.mergeAll(
      NodeFileSystem.layer,
      NodePath.layer,
      Layer.effect(Cancellation, Effect.map(Deferred.make<void>(), (requested) => ({ requested })))
    ))
  )

describe("BulkEnroll", () => {
  it.effect("a full quota is waited out, not turned into refusals", () =>
    Effect.gen(function*() {
      let refusals = 50
      const { ended, sent, tally } = yield* running(3, (request) =>
        Effect.sync(() => refusals-- > 0 ? answer(429, { "retry-after": "60" }) : accepted(request)))
      assert.strictEqual(ended.state, "finished")
      assert.strictEqual(tally.counts.enrolled, 3)
      assert.strictEqual(sent.length, 53)
    }))

  it.effect("an upstream that takes no call for an hour stops the run, and the rest is not sent", () =>
    Effect.gen(function*() {
      const { ended, sent, tally } = yield* running(100, () => Effect.succeed(answer(503)))
      assert.deepInclude(ended, { state: "stopped" })
      assert.include(ended.stop?.message ?? "", "503")
      assert.deepStrictEqual([...new Set(sent)], [1])
      assert.deepInclude(tally.counts, { rejected: 1, skipped: 99 })
    }))

  it.effect("a customer that is always busy stops nobody else", () =>
    Effect.gen(function*() {
      const { ended, tally } = yield* running(3, (request) =>
        Effect.succeed(request.customerId === 2 ? answer(521) : accepted(request)))
      assert.strictEqual(ended.state, "finished")
      assert.deepInclude(tally.counts, { enrolled: 2, rejected: 1 })
    }))

  it.effect("a call that never gets an answer ends unknown after eight attempts, and the run goes on", () =>
    Effect.gen(function*() {
      const lost = new NoAnswer({ reason: "Timeout", message: "no answer", requestId: null })
      const { ended, sent, tally } = yield* running(2, (request) =>
        request.customerId === 1 ? Effect.fail(lost) : Effect.succeed(accepted(request)))
      assert.strictEqual(ended.state, "finished")
      assert.deepInclude(tally.counts, { unknown: 1, enrolled: 1 })
      assert.strictEqual(sent.length, 9)
    }))

  it.effect.each([401, 403, 404])("the first %d stops the run", (status) =>
    Effect.gen(function*() {
      const { ended, sent, tally } = yield* running(50, () => Effect.succeed(answer(status)))
      assert.strictEqual(ended.state, "stopped")
      assert.strictEqual(sent.length, 1)
      assert.deepInclude(tally.counts, { rejected: 1, skipped: 49 })
    }))
})
