import { describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as VirtualClock from "./VirtualClock.js"

describe("VirtualClock", () => {
  it.effect("stands still while real time passes, and moves when it is told", () =>
    Effect.gen(function*() {
      const clock = VirtualClock.make(Date.parse("2026-01-15T09:00:00Z"))
      yield* TestClock.adjust("90 days")
      expect(DateTime.formatIso(yield* clock.now)).toBe("2026-01-15T09:00:00.000Z")
      expect(DateTime.formatIso(yield* clock.advance("31 days"))).toBe("2026-02-15T09:00:00.000Z")
      yield* clock.set(DateTime.unsafeMake("2025-12-31T00:00:00Z"))
      expect(clock.unsafeMillis()).toBe(Date.parse("2025-12-31T00:00:00Z"))
    }))
})
