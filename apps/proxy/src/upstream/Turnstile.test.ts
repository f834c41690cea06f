import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Turnstile from "./Turnstile.js"

describe("Turnstile", () => {
  it("lets in who calls back and who waits in one order", () => {
    const turnstile = Turnstile.make()
    const order: Array<string> = []
    turnstile.enterThen(7, () => order.push("first"))
    const waiting = Effect.runFork(Effect.map(turnstile.enter(7), () => order.push("second")))
    turnstile.enterThen(7, () => order.push("third"))
    turnstile.enterThen(8, () => order.push("another"))
    assert.deepStrictEqual(order, ["first", "another"])
    turnstile.leave(7)
    assert.isFalse(turnstile.tryEnter(7))
    return Effect.runPromise(Fiber.join(waiting)).then(() => {
      turnstile.leave(7)
      assert.deepStrictEqual(order, ["first", "another", "second", "third"])
      turnstile.leave(7)
      assert.isTrue(turnstile.tryEnter(7))
    })
  })

  it.effect.prop(
    "nobody meets anybody inside, and everybody comes in the order of arrival",
    [FastCheck.array(FastCheck.tuple(FastCheck.integer({ min: 1, max: 3 }), FastCheck.integer({ min: 0, max: 5 })), { maxLength: 40 })],
    ([visits]) =>
      Effect.gen(function*() {
        const turnstile = Turnstile.make()
        const inside = new Set<number>()
        const came = new Map<number, Array<number>>()
        const fibers = yield* Effect.forEach(visits, ([customer, millis], index) =>
          Effect.tap(
            Effect.fork(Turnstile.through(
              turnstile,
              customer,
              Effect.gen(function*() {
                assert.isFalse(inside.has(customer))
                inside.add(customer)
                came.set(customer, [...came.get(customer) ?? [], index])
                for (let at = 0; at < millis; at++) yield* Effect.yieldNow()
                inside.delete(customer)
              })
            )),
            () => Effect.yieldNow()
          ))
        yield* Fiber.joinAll(fibers)
        for (const order of came.values()) assert.deepStrictEqual(order, [...order].sort((left, right) => left - right))
        for (const customer of [1, 2, 3]) assert.isTrue(turnstile.tryEnter(customer))
      })
  )

  it.effect("who is interrupted while he waits leaves his turn to the next, and so does who fails inside", () =>
    Effect.gen(function*() {
      const turnstile = Turnstile.make()
      assert.isTrue(turnstile.tryEnter(7))
      const impatient = yield* Effect.fork(Turnstile.through(turnstile, 7, Effect.succeed("never")))
      const failing = yield* Effect.fork(Turnstile.through(turnstile, 7, Effect.fail("no")))
      const last = yield* Effect.fork(Turnstile.through(turnstile, 7, Effect.succeed("in")))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(impatient)
      assert.isFalse(turnstile.tryEnter(7))
      turnstile.leave(7)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(failing)))
      assert.strictEqual(yield* Fiber.join(last), "in")
      assert.isTrue(turnstile.tryEnter(7))
    }))
})
