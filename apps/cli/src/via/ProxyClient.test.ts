import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as ProxyClient from "./ProxyClient.js"

const canary = "mp_canary"

/** A client of a server that answers so. */
const client = (
  answer: (request: IncomingMessage, response: ServerResponse) => void
): Effect.Effect<ProxyClient.ProxyClient, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly url: string; readonly stop: Effect.Effect<void> }>((resume) => {
        const server = createServer(answer)
        server.listen(0, "127.0.0.1", () =>
          resume(Effect.succeed({
            url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
            stop: Effect.sync(() => {
              server.closeAllConnections()
              server.close()
            })
          })))
      }),
      ({ stop }) => stop
    ),
    ({ url }) => ProxyClient.make({ url, key: Redacted.make(canary), keyOrigin: "MILEPOST_API_KEY", org: null })
  )

const problem = (response: ServerResponse, status: number, name: string, detail: string, headers: Readonly<Record<string, string>> = {}): void => {
  response.writeHead(status, { "content-type": "application/problem+json", ...headers })
  response.end(JSON.stringify({ type: `urn:milepost:problem:${name}`, title: "", status, detail }))
}

const upload = (body: Stream.Stream<Uint8Array>, whole: () => void = () => undefined): ProxyClient.Upload<never, never> => ({
  query: "",
  format: "csv",
  size: null,
  idempotencyKey: "k",
  body,
  whole
})

const endless = Stream.repeatValue(new Uint8Array(65_536))

describe("ProxyClient", () => {
  it.live("hears why an upload is refused in its middle, and sends no more of it", () =>
    Effect.scoped(Effect.gen(function*() {
      let isWhole = false
      const proxy = yield* client((_, response) => problem(response, 413, "too-large", "An upload has at most 10 bytes."))
      const error = yield* Effect.flip(proxy.create(upload(endless, () => {
        isWhole = true
      })))
      assert.deepInclude(error, { _tag: "ProxyRefused", status: 413, type: "too-large", detail: "An upload has at most 10 bytes." })
      assert.isFalse(isWhole)
    })))

  it.live("always comes to an end where a connection is closed right behind an early answer", () =>
    Effect.scoped(Effect.gen(function*() {
      const body = JSON.stringify({ type: "urn:milepost:problem:too-large", detail: "Too large." })
      const proxy = yield* client((request) => {
        request.once("data", () => {
          request.socket.write(`HTTP/1.1 413 Too large\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n\r\n${body}`, () => request.socket.destroy())
        })
      })
      for (let time = 0; time < 30; time++) {
        const error = yield* Effect.flip(proxy.create(upload(endless)))
        // What was on its way may be lost with the connection; that nothing was done is known in both cases.
        assert.isTrue(error._tag === "ProxyRefused" ? error.type === "too-large" : !error.mayBeDone)
      }
    })))

  it.live("reads no faster than it is taken", () =>
    Effect.scoped(Effect.gen(function*() {
      let taken = 0
      let produced = 0
      const proxy = yield* client((request, response) => {
        request.once("data", (chunk: Buffer) => {
          taken += chunk.length
          request.pause()
          // Long enough for everything between to fill up; then it says no.
          setTimeout(() => problem(response, 403, "forbidden", "No."), 300)
        })
      })
      const counted = Stream.tap(endless, (chunk) => Effect.sync(() => (produced += chunk.length)))
      yield* Effect.flip(proxy.create(upload(counted)))
      assert.isAbove(taken, 0)
      // What the kernel's buffers hold, and no more.
      assert.isBelow(produced, 64 * 1_048_576)
    })))

  it.live("tells an answer that got lost from a request that never left", () =>
    Effect.scoped(Effect.gen(function*() {
      const cut = yield* client((request) => {
        request.resume()
        request.once("end", () => request.socket.destroy())
      })
      const lost = yield* Effect.flip(cut.create(upload(Stream.make(new Uint8Array(10)))))
      assert.deepInclude(lost, { _tag: "NotAnswered", mayBeDone: true, wasConnected: true })
      const nowhere = ProxyClient.make({ url: "http://127.0.0.1:9", key: Redacted.make(canary), keyOrigin: "", org: null })
      const unsent = yield* Effect.flip(nowhere.create(upload(Stream.make(new Uint8Array(10)))))
      assert.deepInclude(unsent, { _tag: "NotAnswered", reason: "ECONNREFUSED", mayBeDone: false, wasConnected: false })
    })))

  it.live("takes no half of a file for a whole one", () =>
    Effect.scoped(Effect.gen(function*() {
      const proxy = yield* client((_, response) => {
        response.writeHead(200, { "content-type": "text/csv" })
        response.write("a,b\n")
        setTimeout(() => response.destroy(), 50)
      })
      const error = yield* Effect.flip(Stream.runDrain(proxy.rows("job_1", "/results", "text/csv")))
      assert.strictEqual(error._tag, "NotAnswered")
    })))

  it.live("knows what is no proxy, when to come again, and never repeats its key", () =>
    Effect.scoped(Effect.gen(function*() {
      const page = yield* client((_, response) => response.end("<html>Welcome</html>"))
      assert.deepInclude(yield* Effect.flip(page.job("job_1")), { type: null, status: 200 })
      const gateway = yield* client((_, response) => response.writeHead(503, { "retry-after": "7" }).end("<html>"))
      assert.deepInclude(yield* Effect.flip(gateway.job("job_1")), { type: null, status: 503, retryAfterMillis: 7_000 })
      const echo = yield* client((request, response) => problem(response, 400, `x-${request.headers.authorization}`, `${request.headers.authorization}\u0007`))
      const error = yield* Effect.flip(echo.wish("job_1", "pause"))
      assert.notInclude(JSON.stringify(error) + String(error), "canary")
      assert.notMatch(JSON.stringify(error), /\\u0007/)
    })))

  it.live("takes a job's id for a name, whatever is in it", () =>
    Effect.scoped(Effect.gen(function*() {
      const asked: Array<string | undefined> = []
      const proxy = yield* client((request, response) => {
        asked.push(request.url)
        problem(response, 404, "not-found", "There is no such job.")
      })
      yield* Effect.flip(proxy.job("../a?b"))
      assert.deepStrictEqual(asked, ["/v1/jobs/..%2Fa%3Fb"])
    })))
})
