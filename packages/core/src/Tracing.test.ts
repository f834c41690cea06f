import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as JumpingClock from "../test/JumpingClock.js"
import { milestone, unenrollment } from "../test/Sample.js"
import * as Scripted from "../test/ScriptedTransport.js"
import * as Enroll from "./Enroll.js"
import * as TargetGroups from "./TargetGroups.js"
import * as Tracing from "./Tracing.js"
import type { Transport } from "./Transport.js"
import * as Unenroll from "./Unenroll.js"

const secret = "Canary_Period"
const enrollment = milestone({ periodName: secret, initialBalance: 987654 })
const yes = Scripted.accepted(enrollment.customerId)

/** Runs with the native tracer and keeps every span that it makes. */
const recording = <A, E>(
  program: Effect.Effect<A, E, Transport>,
  steps: ReadonlyArray<Scripted.Step>,
  traced = true
) =>
  Effect.gen(function*() {
    const native = yield* Effect.tracer
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (...args) => {
        const span = native.span(...args)
        spans.push(span)
        return span
      },
      context: native.context
    })
    const upstream = Scripted.make(steps)
    const layer = traced ? Tracing.layer.pipe(Layer.provide(upstream.layer)) : upstream.layer
    const exit = yield* program.pipe(
      Effect.provide(layer),
      Effect.exit,
      Effect.withTracer(tracer),
      Effect.withClock(JumpingClock.make())
    )
    return { spans, exit, requests: upstream.calls.map(({ request }) => request) }
  })

const attributesOf = (span: Tracer.Span | undefined) => Object.fromEntries(span?.attributes ?? [])

describe("a traced call", () => {
  it.effect("makes one client span with what was asked and what came back", () =>
    Effect.gen(function*() {
      const { exit, spans } = yield* recording(Enroll.run(enrollment), [yes])
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(spans.map(({ kind, name }) => [name, kind])).toEqual([["milepost.enroll", "client"]])
      expect(attributesOf(spans[0])).toEqual({
        "http.request.method": "POST",
        "url.path": "/targetGroups/2154/targets/2309/enroll",
        "http.response.status_code": 200,
        "milepost.request_id": "req-1"
      })
      expect(spans[0]?.status._tag).toBe("Ended")
    }))

  it.effect("is named after its operation", () =>
    Effect.gen(function*() {
      const unenrolled = yield* recording(Unenroll.run(unenrollment), [yes])
      expect(unenrolled.spans.map(({ name }) => name)).toEqual(["milepost.unenroll"])
      const query = { customerId: enrollment.customerId, includeInactive: true }
      const lookedUp = yield* recording(TargetGroups.run(query), [Scripted.json(200, { data: {} })])
      expect(lookedUp.spans.map(({ name }) => name)).toEqual(["milepost.targetGroups"])
      expect(attributesOf(lookedUp.spans[0])).toMatchObject({
        "http.request.method": "GET",
        "url.path": "/users/564332013/targetGroups",
        "url.query": "includeInactive=true"
      })
    }))

  it.effect("passes its span on as a W3C trace context", () =>
    Effect.gen(function*() {
      const { requests, spans } = yield* recording(Enroll.run(enrollment), [yes])
      expect(requests[0]?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      expect(requests[0]?.traceparent).toBe(`00-${spans[0]?.traceId}-${spans[0]?.spanId}-01`)
      expect({ ...requests[0], traceparent: undefined }).toEqual({
        ...Enroll.request(enrollment, 120_000),
        traceparent: undefined
      })
    }))

  it.effect("stands under the span of its caller", () =>
    Effect.gen(function*() {
      const { spans } = yield* recording(Enroll.run(enrollment).pipe(Effect.withSpan("caller")), [yes])
      const [caller, call] = spans
      expect([caller?.name, call?.name]).toEqual(["caller", "milepost.enroll"])
      expect(Option.getOrThrow(call!.parent).spanId).toBe(caller?.spanId)
      expect(call?.traceId).toBe(caller?.traceId)
    }))

  it.effect("says that it is not sampled where its caller is not", () =>
    Effect.gen(function*() {
      const parent = Tracer.externalSpan({ traceId: "0".repeat(31) + "1", spanId: "0".repeat(15) + "2", sampled: false })
      const { requests, spans } = yield* recording(Enroll.run(enrollment).pipe(Effect.withParentSpan(parent)), [yes])
      expect(spans[0]?.traceId).toBe(parent.traceId)
      expect(requests[0]?.traceparent).toMatch(new RegExp(`^00-${parent.traceId}-[0-9a-f]{16}-0[01]$`))
    }))

  it.effect("passes nothing on where tracing is switched off", () =>
    Effect.gen(function*() {
      const { requests, spans } = yield* recording(Enroll.run(enrollment).pipe(Effect.withTracerEnabled(false)), [yes])
      expect(spans).toEqual([])
      expect(requests[0]?.traceparent).toBeUndefined()
    }))
})

describe("a traced call that is repeated", () => {
  it.effect("makes a span of every attempt", () =>
    Effect.gen(function*() {
      const { requests, spans } = yield* recording(Enroll.run(enrollment), [Scripted.gateway(503), yes])
      expect(spans.map((span) => attributesOf(span)["http.response.status_code"])).toEqual([503, 200])
      expect(new Set(requests.map(({ traceparent }) => traceparent)).size).toBe(2)
    }))
})

describe("a traced call that fails", () => {
  it.effect("records the error", () =>
    Effect.gen(function*() {
      const { exit, spans } = yield* recording(Enroll.call(enrollment), [Scripted.noAnswer("Reset")])
      expect(Exit.isFailure(exit)).toBe(true)
      expect(attributesOf(spans[0])).toEqual({
        "http.request.method": "POST",
        "url.path": "/targetGroups/2154/targets/2309/enroll",
        "error.type": "NoAnswer"
      })
      const ended = spans[0]?.status
      expect(ended?._tag === "Ended" && Exit.isFailure(ended.exit)).toBe(true)
    }))

  it.effect("because of an answer tells the status of it", () =>
    Effect.gen(function*() {
      const { spans } = yield* recording(Enroll.call(enrollment), [Scripted.gateway(403)])
      expect(attributesOf(spans[0])["http.response.status_code"]).toBe(403)
    }))
})

describe("tracing", () => {
  it.effect("makes no span and passes nothing on without the layer", () =>
    Effect.gen(function*() {
      const { requests, spans } = yield* recording(Enroll.run(enrollment), [yes], false)
      expect(spans).toEqual([])
      expect(requests[0]).not.toHaveProperty("traceparent")
    }))

  it.effect("puts no body and nothing of an answer into an attribute", () =>
    Effect.gen(function*() {
      const refused = Scripted.refused(300004, "Canary_Words")
      for (const steps of [[yes], [refused], [Scripted.noAnswer()], [Scripted.notSent("Tls")]]) {
        const { spans } = yield* recording(Enroll.call(enrollment), steps)
        expect(spans).toHaveLength(1)
        expect(JSON.stringify([attributesOf(spans[0]), spans[0]?.name])).not.toMatch(/Canary|987654|no answer|upstream/)
      }
    }))
})
