import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metrics from "./Metrics.js"

const nobody = { get: () => undefined, all: () => [], replace: () => Effect.void }

describe("Metrics", () => {
  it("are the text of Prometheus: counters by label, cumulative buckets, a sum and a count", () => {
    const metrics = Metrics.make()
    metrics.answered("enroll", 200, 8)
    metrics.answered("enroll", 200, 300)
    metrics.answered("enroll", 429, 60_000)
    metrics.ended("a\"b\\c", "enrolled")
    const text = metrics.render({ upstreams: nobody, jobs: { running: 2 }, lanes: 21 })
    assert.include(text, `milepost_proxy_requests_total{route="enroll",status="200"} 2\n`)
    assert.include(text, `milepost_proxy_request_seconds_bucket{route="enroll",le="0.005"} 0\n`)
    assert.include(text, `milepost_proxy_request_seconds_bucket{route="enroll",le="0.01"} 1\n`)
    assert.include(text, `milepost_proxy_request_seconds_bucket{route="enroll",le="30"} 2\n`)
    assert.include(text, `milepost_proxy_request_seconds_bucket{route="enroll",le="+Inf"} 3\n`)
    assert.include(text, `milepost_proxy_outcomes_total{org="a\\"b\\\\c",outcome="enrolled"} 1\n`)
    assert.include(text, `milepost_proxy_jobs{state="running"} 2\n`)
    for (const line of text.trimEnd().split("\n")) {
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="([^"\\\n]|\\.)*",?)+\})? [\d.e+-]+)$/)
    }
  })
})
