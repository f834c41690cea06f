import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { job as sample } from "../../test/job.js"
import * as Follow from "./Follow.js"
import type { Job } from "./Job.js"
import { NotAnswered, type ProxyClient, ProxyRefused } from "./ProxyClient.js"

/** So many of its calls are made. */
const job = (calls: number, state: Job["state"] = "running"): Job =>
  sample({ state, calls, open: 10 - calls, counts: { ...sample().counts, enrolled: calls } })

const event = (calls: number, state?: Job["state"]) => ({ id: `${calls}`, job: job(calls, state) })
const away = new NotAnswered({ reason: "ECONNREFUSED", mayBeDone: false, wasConnected: false })

/** A watch that writes down what it is told. */
const notebook = () => {
  const said: Array<string> = []
  return {
    said,
    watch: {
      standing: ({ calls, state }: Job) => Effect.sync(() => void said.push(`${calls} ${state}`)),
      silent: (why: string | null) => Effect.sync(() => void (why === null ? undefined : said.push(why)))
    }
  }
}

describe("Follow", () => {
  it.effect("goes on over streams that end and a proxy that is away, from where it was", () =>
    Effect.gen(function*() {
      const lasts: Array<string | null> = []
      const streams = [Stream.make(event(1), event(2)), Stream.fail(away), Stream.fail(away), Stream.make(event(5), event(10, "finished"), event(9))]
      const client: Pick<ProxyClient, "events" | "job"> = {
        events: (_, last) => {
          lasts.push(last)
          return streams[lasts.length - 1] ?? Stream.never
        },
        job: () => Effect.succeed(job(3))
      }
      const { said, watch } = notebook()
      const following = yield* Effect.fork(Follow.run(client, job(0), watch))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(following)).state, "finished")
      assert.deepStrictEqual(lasts, [null, "2", "2", "2"])
      assert.deepStrictEqual(said, ["1 running", "2 running", "3 running", "ECONNREFUSED", "ECONNREFUSED", "5 running", "10 finished"])
    }))

  it.effect("asks for the job where its events are held back", () =>
    Effect.gen(function*() {
      let asked = 0
      const client: Pick<ProxyClient, "events" | "job"> = {
        events: () => Stream.never,
        job: () => Effect.sync(() => ++asked < 3 ? job(asked) : job(10, "stopped"))
      }
      const { said, watch } = notebook()
      const following = yield* Effect.fork(Follow.run(client, job(0), watch))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Fiber.join(following)).state, "stopped")
      assert.deepStrictEqual(said, ["1 running", "2 running", "10 stopped"])
    }))

  it.effect("gives up a proxy that is away for a quarter of an hour, and one that says no at once", () =>
    Effect.gen(function*() {
      const silent: Pick<ProxyClient, "events" | "job"> = { events: () => Stream.fail(away), job: () => Effect.fail(away) }
      const lost = yield* Effect.fork(Effect.flip(Follow.run(silent, job(0), notebook().watch)))
      yield* TestClock.adjust("14 minutes")
      assert.isNull(yield* Fiber.poll(lost).pipe(Effect.map((found) => found._tag === "None" ? null : found)))
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Fiber.join(lost), away)
      const no = new ProxyRefused({ status: 401, type: "unauthenticated", detail: "", retryAfterMillis: null })
      const refusing: Pick<ProxyClient, "events" | "job"> = { events: () => Stream.fail(no), job: () => Effect.fail(no) }
      assert.strictEqual(yield* Effect.flip(Follow.run(refusing, job(0), notebook().watch)), no)
    }))

  it.effect("has nothing to wait for where the job stands still already", () =>
    Effect.gen(function*() {
      const client: Pick<ProxyClient, "events" | "job"> = { events: () => Stream.never, job: () => Effect.never }
      assert.strictEqual((yield* Follow.run(client, job(10, "cancelled"), notebook().watch)).state, "cancelled")
    }))
})
