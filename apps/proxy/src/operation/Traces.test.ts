import { assert, describe, it } from "@effect/vitest"
import * as Tracer from "effect/Tracer"
import type { IncomingMessage } from "node:http"
import * as Traces from "./Traces.js"

describe("Traces", () => {
  it("are made of what a caller traces, and of those that are drawn among the rest", () => {
    const made: Array<string> = []
    const tracer = Tracer.make({
      span: (name, parent, context, links, startTime, kind) => {
        made.push(name)
        return { ...({} as Tracer.Span), name, parent, context, links, kind, status: { _tag: "Started", startTime } }
      },
      context: (f) => f()
    })
    const draws = [true, false]
    const traces = Traces.make(tracer, () => 0n, () => draws.shift() ?? false)
    const begin = (traceparent?: string) => traces.begin({ method: "GET", headers: { traceparent } } as unknown as IncomingMessage) !== null
    assert.deepStrictEqual([begin(), begin()], [true, false])
    assert.isTrue(begin("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
    assert.isFalse(begin("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"))
    assert.deepStrictEqual(made, ["GET", "GET"])
  })

  it.each([
    ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true],
    ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", false],
    ["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more", true]
  ])("take %s for a caller's context", (header, sampled) => {
    const parent = Traces.parentOf(header)
    assert.deepInclude(parent, { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", sampled })
  })

  it.each([
    undefined,
    "",
    ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x"
  ])("take %j for none", (header) => assert.isNull(Traces.parentOf(header)))
})
