/**
 * The service on a port: node:http with narrow limits, and an end in order.
 *
 * While it drains, what has begun is finished and nothing new begins: who asks is told so at once, and whether it is
 * ready is answered with no.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import * as Http from "node:http"
import type { Service as Log } from "../operation/Log.js"
import type { Metrics } from "../operation/Metrics.js"
import type { Traces } from "../operation/Traces.js"
import * as Exchange from "./Exchange.js"

/** Where to listen, and who answers. */
export interface Options {
  readonly host: string
  readonly port: number
  /** Answers a request, and names its exchange in `X-Request-Id`; the exchange has begun. */
  readonly handle: (req: Http.IncomingMessage, res: Http.ServerResponse) => void
  readonly log: Log
  readonly metrics: Metrics
  readonly traces: Traces | null
  readonly nowMillis: () => number
}

/** A server that listens. */
export interface Serving {
  readonly url: string
  readonly port: number
  readonly isDraining: () => boolean
  /** No new work begins; completes when what had begun is answered, or time is up. */
  readonly drain: Effect.Effect<void>
}

/** The server could not listen. */
export class CannotListen extends Data.TaggedError("CannotListen")<{ readonly message: string }> {}

const limits = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  // An upload may take long: bodies are looked after by whoever reads them, and this is the end of all patience.
  requestTimeout: 3_600_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  requireHostHeader: true
}

/** Requests that are answered while the server drains: whoever looks whether it is alive. */
const alwaysAnswered: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"])

const drainMillis = 30_000

/** So long a client may go on sending what nobody reads any more, so that the answer reaches it. */
const lingerMillis = 5_000

const why: Readonly<Record<string, string>> = {
  EADDRINUSE: "something else listens there: set MILEPOST_PROXY_PORT",
  EACCES: "this user may not listen there: set MILEPOST_PROXY_PORT to 1024 or more",
  EADDRNOTAVAIL: "this machine does not have that address: set MILEPOST_PROXY_HOST",
  ENOTFOUND: "the host's name does not resolve: set MILEPOST_PROXY_HOST"
}

const draining = JSON.stringify({
  type: "urn:milepost:problem:draining",
  title: "The service is about to stop",
  status: 503,
  detail: "Send the request to another instance, or again in a moment."
})

/** Listens until the scope closes; fails with {@link CannotListen}. */
export const serve = (options: Options): Effect.Effect<Serving, CannotListen, Scope.Scope> =>
  Effect.gen(function*() {
    const { log, metrics, nowMillis, traces } = options
    const run = randomBytes(4).toString("hex")
    let count = 0
    let inFlight = 0
    let isDraining = false
    let onIdle: () => void = () => undefined
    const nextId = (): string => `mpx-${run}-${++count}`

    const server = Http.createServer({ ...limits, IncomingMessage: Exchange.Incoming }, (req, res) => {
      const exchange = Exchange.begin(req, nextId, nowMillis())
      if (traces !== null) exchange.span = traces.begin(req)
      inFlight += 1
      res.on("close", () => {
        inFlight -= 1
        if (!req.complete && !req.destroyed) setTimeout(() => req.complete || req.socket.destroy(), lingerMillis).unref()
        const took = nowMillis() - exchange.startedMillis
        const status = res.writableFinished ? res.statusCode : 499
        metrics.answered(exchange.route, status, took)
        if (traces !== null && exchange.span !== null) traces.end(exchange.span, { ...exchange, method: req.method ?? "", status })
        log.write("info", "request", {
          id: exchange.id,
          method: req.method ?? "",
          route: exchange.route,
          status,
          millis: Math.round(took),
          key: exchange.key,
          org: exchange.org,
          trace: exchange.span?.traceId
        })
        if (inFlight === 0) onIdle()
      })
      if (isDraining && !alwaysAnswered.has(req.url ?? "")) {
        req.resume()
        res.writeHead(503, { "content-type": "application/problem+json", "retry-after": "5", "x-request-id": exchange.id, connection: "close" })
        res.end(draining)
        return
      }
      if (isDraining) res.setHeader("connection", "close")
      options.handle(req, res)
    })
    server.maxHeadersCount = 100

    const close = Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })

    const name = options.host.includes(":") ? `[${options.host}]` : options.host
    const port = yield* Effect.acquireRelease(
      Effect.async<number, CannotListen>((resume) => {
        const refused = (error: NodeJS.ErrnoException): void =>
          resume(new CannotListen({ message: `Cannot listen on ${name}:${options.port}: ${why[error.code ?? ""] ?? error.code ?? "for no known reason"}.` }))
        server.once("error", refused)
        server.listen(options.port, options.host, () => {
          server.off("error", refused)
          const address = server.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : options.port))
        })
      }),
      () => close
    )

    return {
      url: `http://${name}:${port}`,
      port,
      isDraining: () => isDraining,
      drain: Effect.suspend(() => {
        isDraining = true
        const idle = Effect.async<void>((resume) => {
          onIdle = () => resume(Effect.void)
          if (inFlight === 0) resume(Effect.void)
        })
        return Effect.asVoid(Effect.timeoutOption(idle, drainMillis))
      })
    }
  })
