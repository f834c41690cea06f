import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import type { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as LibsqlLedger from "@milepost/ledger/LibsqlLedger"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Store from "../Store.js"
import * as Idempotency from "./Idempotency.js"
import * as Problem from "./Problem.js"

/** First answers in a file of their own. */
const inFile = <A, E>(use: Effect.Effect<A, E, Scope.Scope | SqlClient>) =>
  Effect.scoped(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    return yield* Effect.provide(Effect.zipRight(Store.migrate, use), LibsqlLedger.layer({ path: `${folder}/proxy.db` }))
  })).pipe(Effect.provide(NodeFileSystem.layer))

const kept = <A, E>(use: (idempotency: Idempotency.Service) => Effect.Effect<A, E>) => inFile(Effect.flatMap(Idempotency.make(), use))

const request = { owner: "key_1", key: "k", fingerprint: Idempotency.fingerprint("enroll", "{}") }

const counted = (status = 200) => {
  let calls = 0
  return {
    calls: () => calls,
    answer: Effect.sync((): Idempotency.Answer => ({ status, headers: { "content-type": "application/json" }, body: `{"call":${++calls}}` }))
  }
}

describe("Idempotency", () => {
  it.effect("the first answer is given again, for a day", () =>
    kept((idempotency) =>
      Effect.gen(function*() {
        const { answer, calls } = counted()
        const first = yield* idempotency.once(request, answer)
        const again = yield* idempotency.once(request, answer)
        assert.strictEqual(again.body, first.body)
        assert.strictEqual(again.headers["idempotent-replayed"], "true")
        assert.isUndefined(first.headers["idempotent-replayed"])
        assert.strictEqual((yield* idempotency.once({ ...request, owner: "key_2" }, answer)).body, `{"call":2}`)
        yield* TestClock.adjust("23 hours")
        yield* idempotency.once(request, answer)
        assert.strictEqual(calls(), 2)
        yield* TestClock.adjust("2 hours")
        yield* idempotency.once(request, answer)
        assert.strictEqual(calls(), 3)
      })))

  it.effect("another request under the same key is refused, and one that still runs is waited for", () =>
    kept((idempotency) =>
      Effect.gen(function*() {
        const begun = yield* Deferred.make<void>()
        const done = yield* Deferred.make<Idempotency.Answer>()
        const running = yield* Effect.fork(idempotency.once(request, Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(done))))
        yield* Deferred.await(begun)
        const { answer } = counted()
        assert.strictEqual((yield* Effect.flip(idempotency.once(request, answer))).type, Problem.typeOf("still-running"))
        assert.strictEqual((yield* Effect.flip(idempotency.once({ ...request, fingerprint: "other" }, answer))).type, Problem.typeOf("other-request"))
        yield* Deferred.succeed(done, { status: 422, headers: {}, body: "no" })
        yield* Fiber.join(running)
        assert.strictEqual((yield* idempotency.once(request, answer)).body, "no")
      })))

  it.effect("what says nothing of the request is not kept: a refusal for now, a failure, an interruption", () =>
    kept((idempotency) =>
      Effect.gen(function*() {
        for (const status of [401, 403, 429, 503]) yield* idempotency.once(request, counted(status).answer)
        yield* Effect.exit(idempotency.once(request, Effect.fail(Problem.make("storage", "no"))))
        yield* Effect.exit(idempotency.once(request, Effect.interrupt))
        const { answer, calls } = counted()
        yield* idempotency.once(request, answer)
        assert.strictEqual(calls(), 1)
      })))

  it.effect("what a process that died had begun is begun again, and its late answer is not kept", () =>
    inFile(Effect.gen(function*() {
      const before = yield* Idempotency.make()
      const begun = yield* Deferred.make<void>()
      const late = yield* Deferred.make<Idempotency.Answer>()
      const first = yield* Effect.fork(before.once(request, Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(late))))
      yield* Deferred.await(begun)
      const after = yield* Idempotency.make()
      // Another request may have the key as well: nobody was told of the first.
      const other = { ...request, fingerprint: "other" }
      assert.strictEqual((yield* after.once(other, counted().answer)).body, `{"call":1}`)
      yield* Deferred.succeed(late, { status: 200, headers: {}, body: "late" })
      assert.strictEqual((yield* Fiber.join(first)).body, "late")
      const again = yield* after.once(other, counted().answer)
      assert.deepStrictEqual([again.body, again.headers["idempotent-replayed"]], [`{"call":1}`, "true"])
    })))

  it("parts are told apart, whatever they hold", () => {
    assert.notStrictEqual(Idempotency.fingerprint("a", "bc"), Idempotency.fingerprint("ab", "c"))
    assert.isTrue(Idempotency.isKey("order-4711"))
    for (const text of ["", " ", "a b", "x".repeat(256), "é"]) assert.isFalse(Idempotency.isKey(text))
  })
})
