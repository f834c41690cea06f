import { assert, describe, it } from "@effect/vitest"
import { type Trouble, unreachable } from "./Client.js"
import * as Events from "./Events.js"

const stream = (...texts: ReadonlyArray<string>): Response => new Response(new ReadableStream({
  start: (controller) => {
    for (const text of texts) controller.enqueue(new TextEncoder().encode(text))
    controller.close()
  }
}))

/** Follows answers, one an attempt, and tells what was sent, seen and waited for. */
const followed = async (...answers: ReadonlyArray<Response | Trouble>) => {
  const asked: Array<string | undefined> = []
  const events: Array<string> = []
  const waits: Array<number> = []
  const closing = new AbortController()
  const left = [...answers]
  const end = await Events.follow({
    open: (headers) => {
      asked.push(headers["last-event-id"])
      const next = left.shift()
      if (next === undefined) closing.abort()
      return Promise.resolve(next ?? unreachable)
    },
    event: ({ data, kind }) => {
      events.push(data)
      return kind !== "end"
    },
    link: () => undefined,
    signal: closing.signal,
    sleep: (millis) => {
      waits.push(millis)
      return Promise.resolve()
    }
  })
  return { asked, events, waits, end }
}

describe("Events", () => {
  it("are read however they are cut, with any line end, without comments", () => {
    const text = "id: 1\r\nevent: progress\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n: still here\n\nid:2\ndata:x\n\nevent: end\n\n"
    const expected = [{ id: "1", kind: "progress", data: "{\"a\":\n1}" }, { id: "2", kind: "message", data: "x" }]
    for (let size = 1; size <= text.length; size++) {
      const { push } = Events.parser()
      const found: Array<Events.Event> = []
      for (let at = 0; at < text.length; at += size) found.push(...push(text.slice(at, at + size)))
      assert.deepStrictEqual(found, expected, `cut every ${size}`)
    }
  })

  it("are followed across broken connections from the last one on", async () => {
    const { asked, end, events } = await followed(
      stream("id: 1\nevent: progress\ndata: a\n\nid: 2\nevent: progress\ndata: half"),
      unreachable,
      stream("id: 3\nevent: end\ndata: b\n\n"),
      stream("never read")
    )
    assert.deepStrictEqual([asked, events, end], [[undefined, "1", "1"], ["a", "b"], null])
  })

  it("are waited for longer and longer, or as long as the service says", async () => {
    const busy: Trouble = { ...unreachable, status: 429, retryAfterSeconds: 7 }
    const { waits } = await followed(unreachable, unreachable, busy, unreachable, unreachable, unreachable)
    assert.deepStrictEqual(waits, [500, 1_000, 7_000, 4_000, 8_000, 15_000])
  })

  it("are given up where no other answer is to be had", async () => {
    const { asked, end } = await followed({ ...unreachable, status: 404 }, stream("id: 1\ndata: a\n\n"))
    assert.deepStrictEqual([asked.length, end?.status], [1, 404])
  })
})
