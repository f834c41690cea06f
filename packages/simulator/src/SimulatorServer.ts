/**
 * The simulator on a port: plain node:http, so that it can stand in for the upstream under load.
 *
 * An answer leaves one turn of the event loop after its call has arrived: calls that arrive together do overlap, and a
 * second one for a customer is answered 521. Faults of the connection are real ones. `/__sim` controls it, without
 * credentials: bind it to a loopback host, which is the default. Worlds beside the served one are made by control, and
 * chosen by the header `X-Milepost-World: name` or by a path below `/__world/name`.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as control from "./internal/control.js"
import * as worlds from "./internal/worlds.js"
import type { Exchange, HttpAnswer, Service } from "./Simulator.js"
import { Simulator } from "./Simulator.js"
import type { World } from "./World.js"

/** Where to listen. */
export interface Options {
  /** Default 0: any that is free. */
  readonly port?: number | undefined
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
}

/** A server that listens, until its scope closes. */
export interface Serving {
  /** The base URL, without a slash at its end. */
  readonly url: string
  readonly port: number
}

/** The server could not listen. */
export class ServeError extends Data.TaggedError("ServeError")<{
  readonly reason: "PortInUse" | "NotAllowed" | "HostUnknown" | "InvalidPort" | "Other"
  readonly message: string
}> {}

const reasons: Readonly<Record<string, readonly [reason: ServeError["reason"], why: string]>> = {
  EADDRINUSE: ["PortInUse", "something else listens there; choose another port, or 0 for any that is free"],
  EACCES: ["NotAllowed", "this user may not listen there; choose a port from 1024 on"],
  EADDRNOTAVAIL: ["HostUnknown", "this machine does not have that address"],
  ENOTFOUND: ["HostUnknown", "the host's name does not resolve"]
}

const serveError = (where: string, error: NodeJS.ErrnoException): ServeError => {
  const [reason, why] = reasons[error.code ?? ""] ?? ["Other" as const, error.code ?? "for an unknown reason"]
  return new ServeError({ reason, message: `Cannot listen on ${where}: ${why}.` })
}

/** The longest body that is read, in bytes: that of a world with many groups. */
const longestBody = 16 * 1024 * 1024

const write = (res: Http.ServerResponse, { body, headers, status }: HttpAnswer): void => {
  res.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) })
  res.end(body)
}

const tooLarge: HttpAnswer = {
  status: 413,
  headers: { "content-type": "application/json", connection: "close" },
  body: `{"status":413,"message":"The body is too large."}`
}

const breakOff = (res: Http.ServerResponse, { body, headers, status }: HttpAnswer): void => {
  const bytes = Buffer.from(body)
  res.writeHead(status, { ...headers, "content-length": bytes.length })
  res.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => res.socket?.destroy())
}

const withBody = (req: Http.IncomingMessage, res: Http.ServerResponse, then: (body: string | null) => void): void => {
  if (req.method === "GET" || req.method === "HEAD") {
    req.resume()
    return then(null)
  }
  const chunks: Array<Buffer> = []
  let bytes = 0
  req.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= longestBody) chunks.push(chunk)
    else if (!res.headersSent) write(res, tooLarge)
  })
  req.on("end", () => {
    const [first] = chunks
    if (bytes <= longestBody) then((chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)).toString())
  })
}

type Later = (millis: number, then: () => void) => Runtime.Cancel<void>

/** The answers that leave with the next turn of the event loop, all at once. */
const nextTurn = () => {
  let waiting: Array<readonly [Http.ServerResponse, Exchange]> = []
  const flush = (): void => {
    const due = waiting
    waiting = []
    for (const [res, exchange] of due) {
      write(res, exchange.answer)
      exchange.release()
    }
  }
  return (res: Http.ServerResponse, exchange: Exchange): void => {
    if (waiting.length === 0) setImmediate(flush)
    waiting.push([res, exchange])
  }
}

/** One byte at a time; whoever waits for the end of the answer occupies the customer. */
const drip = (res: Http.ServerResponse, { answer, millisPerByte }: Exchange, later: Later): Runtime.Cancel<void> => {
  const bytes = Buffer.from(answer.body)
  res.writeHead(answer.status, { ...answer.headers, "content-length": bytes.length })
  res.flushHeaders()
  let sent = 0
  let cancel: Runtime.Cancel<void> = () => undefined
  const next = (): void => {
    if (sent === bytes.length) return void res.end()
    cancel = later(millisPerByte, () => {
      res.write(bytes.subarray(sent, ++sent))
      next()
    })
  }
  next()
  return () => cancel()
}

const deliver = (res: Http.ServerResponse, exchange: Exchange): void => {
  switch (exchange.delivery) {
    case "whole":
    case "slow":
      return write(res, exchange.answer)
    case "halfWritten":
      return breakOff(res, exchange.answer)
    case "reset":
      res.socket?.resetAndDestroy()
      return
    case "never":
      return
  }
}

/** The slow way: the customer is occupied until the answer has left, or the client has gone. */
const deliverLater = (res: Http.ServerResponse, exchange: Exchange, later: Later): void => {
  let cancel = later(exchange.delayMillis, () => {
    if (exchange.delivery === "slow") cancel = drip(res, exchange, later)
    else {
      deliver(res, exchange)
      if (exchange.delivery !== "never") exchange.release()
    }
  })
  res.once("close", () => {
    cancel()
    exchange.release()
  })
}

const noSuchWorld = (name: string): HttpAnswer => ({
  status: 404,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ status: 404, message: `There is no world ${JSON.stringify(name)} on this server.` })
})

const listener = (served: Service, runtime: Runtime.Runtime<never>): Http.RequestListener => {
  const soon = nextTurn()
  const beside = worlds.make(served)
  const runCallback = Runtime.runCallback(runtime)
  const later: Later = (millis, then) => runCallback(Effect.zipRight(Effect.sleep(millis), Effect.sync(then)))
  return (req, res) => {
    const { headers, method = "GET" } = req
    const { name, path } = worlds.chosen(headers, req.url ?? "/")
    withBody(req, res, (body) => {
      const simulator = name === null ? served : beside.get(name)
      if (simulator === undefined) return write(res, noSuchWorld(name ?? ""))
      if (control.isControl(path)) {
        runCallback(Effect.map(control.handle(simulator, beside, { method, path, headers, body }), (answer) => write(res, answer)))
        return
      }
      const exchange = simulator.unsafeBegin({ method, path, headers, body })
      if (exchange.delivery === "whole" && exchange.delayMillis === 0) soon(res, exchange)
      else deliverLater(res, exchange, later)
    })
  }
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 65_535

const listening = (server: Http.Server, port: number, host: string): Effect.Effect<Serving, ServeError> =>
  Effect.async<Serving, ServeError>((resume) => {
    const name = host.includes(":") ? `[${host}]` : host
    if (!isPort(port)) {
      const message = `Cannot listen on ${name}:${port}: a port is a whole number from 0 to 65535.`
      return resume(Effect.fail(new ServeError({ reason: "InvalidPort", message })))
    }
    server.once("error", (error) => resume(Effect.fail(serveError(`${name}:${port}`, error))))
    server.listen(port, host, () => {
      const address = server.address()
      const actual = typeof address === "object" && address !== null ? address.port : port
      resume(Effect.succeed({ url: `http://${name}:${actual}`, port: actual }))
    })
  })

/** Stops listening at once; answers that are due leave, all other calls are cut off. */
const closed = (server: Http.Server): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    setImmediate(() => server.closeAllConnections())
  })

/**
 * Serves the simulator until the scope closes; fails with {@link ServeError} where it cannot listen.
 *
 * @example
 * ```ts
 * import { Simulator, SimulatorServer, World } from "@milepost/simulator"
 * import { Effect } from "effect"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const { url } = yield* SimulatorServer.serve({ port: 0 })
 *   return yield* Effect.promise(() => fetch(`${url}/__sim/health`).then((response) => response.status))
 * }))
 *
 * const status = Effect.runPromise(Effect.provide(program, Simulator.layer(World.sample)))
 * ```
 */
export const serve = (
  options: Options = {}
): Effect.Effect<Serving, ServeError, Simulator | Scope.Scope> =>
  Effect.gen(function*() {
    const simulator = yield* Simulator
    const runtime = yield* Effect.runtime<never>()
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => Http.createServer({ keepAliveTimeout: 60_000 }, listener(simulator, runtime))),
      closed
    )
    return yield* listening(server, options.port ?? 0, options.host ?? "127.0.0.1")
  })

/**
 * The environment variables that point a Milepost program to a served world: its first till, else its first OAuth client.
 * They are a simulation's, no secrets.
 */
export const variables = (url: string, world: World): Readonly<Record<string, string>> => {
  const till = world.credentials.find((credential) => credential.type === "basic")
  if (till !== undefined) return { MILEPOST_HOST: url, MILEPOST_USERNAME: till.username, MILEPOST_PASSWORD: till.password }
  const client = world.credentials.find((credential) => credential.type === "oauth")
  return client === undefined
    ? { MILEPOST_HOST: url }
    : { MILEPOST_HOST: url, MILEPOST_OAUTH_KEY: client.key, MILEPOST_OAUTH_SECRET: client.secret }
}
