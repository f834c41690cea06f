import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { milestone } from "../test/Sample.js"
import * as Scripted from "../test/ScriptedTransport.js"
import * as Enroll from "./Enroll.js"
import * as Transport from "./Transport.js"

describe("a transport", () => {
  it.effect("is made of one function, and a program finds it in a layer", () =>
    Effect.gen(function*() {
      const seen: Array<Transport.Request> = []
      const layer = Transport.layer((request) => {
        seen.push(request)
        return Effect.succeed(Scripted.accepted(request.customerId))
      })
      const { customerId } = yield* Enroll.run(milestone()).pipe(Effect.provide(layer))
      expect(customerId).toBe(564332013)
      expect(seen).toHaveLength(1)
    }))

  it.effect("can be called by itself", () =>
    Effect.gen(function*() {
      const transport = Transport.make(() => Effect.fail(Scripted.noAnswer("Reset")))
      const error = yield* Effect.flip(transport.send(Enroll.request(milestone())))
      expect(error).toMatchObject({ _tag: "NoAnswer", reason: "Reset" })
    }))
})
