/** Small servers on loopback, each started and closed by the test that uses it. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Dns from "node:dns"
import * as Http from "node:http"
import * as Https from "node:https"
import { createRequire } from "node:module"
import * as Net from "node:net"
import { certificate, key } from "./selfSigned.js"

/** A request as it came over the wire. */
export interface Received {
  readonly method: string
  readonly url: string
  /** As sent, name and value by turns. */
  readonly rawHeaders: ReadonlyArray<string>
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** A server and what reached it. */
export interface Upstream {
  readonly url: string
  readonly port: number
  readonly received: ReadonlyArray<Received>
  /** How many connections were opened. */
  readonly connections: () => number
}

export type Answer = (request: Received, response: Http.ServerResponse, all: ReadonlyArray<Received>) => void

const portOf = (server: Net.Server): number => (server.address() as Net.AddressInfo).port

/** Listens on a free port of 127.0.0.1; the scope's end closes the server and every socket of it. */
const listening = <S extends Net.Server>(
  server: S
): Effect.Effect<{ readonly server: S; readonly connections: () => number }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ server: S; connections: () => number; sockets: Set<Net.Socket> }>((resume) => {
      const sockets = new Set<Net.Socket>()
      let count = 0
      server.on("connection", (socket: Net.Socket) => {
        count += 1
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, connections: () => count, sockets })))
    }),
    ({ server, sockets }) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )

const recording = (received: Array<Received>, answer: Answer): Http.RequestListener => (request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const one: Received = {
      method: request.method ?? "",
      url: request.url ?? "",
      rawHeaders: request.rawHeaders,
      headers: request.headers,
      body: Buffer.concat(chunks).toString()
    }
    received.push(one)
    answer(one, response, received)
  })
}

/** An HTTP server. */
export const http = (answer: Answer): Effect.Effect<Upstream, never, Scope.Scope> =>
  Effect.suspend(() => {
    const received: Array<Received> = []
    return Effect.map(listening(Http.createServer(recording(received, answer))), ({ connections, server }) => ({
      url: `http://127.0.0.1:${portOf(server)}`,
      port: portOf(server),
      received,
      connections
    }))
  })

/** An HTTPS server with a certificate that nobody trusts. */
export const https = (answer: Answer): Effect.Effect<Upstream, never, Scope.Scope> =>
  Effect.suspend(() => {
    const received: Array<Received> = []
    const server = Https.createServer({ cert: certificate, key }, recording(received, answer))
    return Effect.map(listening(server), ({ connections }) => ({
      url: `https://127.0.0.1:${portOf(server)}`,
      port: portOf(server),
      received,
      connections
    }))
  })

/** A TCP server; `onRequest` is called with the socket each time a whole HTTP request of ours has arrived on it. */
export const tcp = (
  onRequest: (socket: Net.Socket, count: number) => void
): Effect.Effect<Upstream, never, Scope.Scope> =>
  Effect.suspend(() => {
    const received: Array<Received> = []
    const server = Net.createServer((socket) => {
      let text = ""
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1")
        const end = text.indexOf("\r\n\r\n")
        if (end < 0) return
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
        if (text.length < end + 4 + length) return
        const [method = "", url = ""] = text.split(" ")
        received.push({ method, url, rawHeaders: [], headers: {}, body: text.slice(end + 4) })
        text = ""
        onRequest(socket, received.length)
      })
    })
    return Effect.map(listening(server), ({ connections }) => ({
      url: `http://127.0.0.1:${portOf(server)}`,
      port: portOf(server),
      received,
      connections
    }))
  })

/** A TCP server that never says a word. */
export const silent: Effect.Effect<Upstream, never, Scope.Scope> = tcp(() => {})

/** A port of this machine on which nothing listens. */
export const unusedPort: Effect.Effect<number> = Effect.scoped(
  Effect.map(listening(Net.createServer()), ({ server }) => portOf(server))
)

/**
 * The URL of a host that nobody has. While the scope is open, every name is answered so at once: no name server is asked, whose
 * silence would last longer than a call.
 */
export const unknownHost: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      // Both undici and fetch connect by `node:net`, which reads `lookup` off this object for each connection.
      const dns = createRequire(import.meta.url)("node:dns") as { lookup: unknown }
      const { lookup } = dns
      dns.lookup = (hostname: string, _: Dns.LookupOptions, answer: (error: NodeJS.ErrnoException) => void) =>
        process.nextTick(
          answer,
          Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND", syscall: "getaddrinfo", hostname })
        )
      return { dns, lookup }
    }),
    ({ dns, lookup }) =>
      Effect.sync(() => {
        dns.lookup = lookup
      })
  ),
  () => "https://nope.invalid"
)

/** Answers with JSON. */
export const json = (response: Http.ServerResponse, body: unknown, status = 200): void => {
  const text = typeof body === "string" ? body : JSON.stringify(body)
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
  response.end(text)
}

/** Accepts an enrolment, and issues the token where one is asked for. */
export const accepting = (token = "a-token-of-the-upstream", ttlSeconds = 3600): Answer => (request, response) =>
  request.url === "/v3/oauth/token/generate"
    ? json(response, { data: { accessToken: token, ttlSeconds }, errors: null })
    : json(response, { data: 564332013, errors: null, warnings: null })

/** Issues the token where one is asked for, and leaves every other request to `answer`. */
export const issuing = (token: string, answer: Answer): Answer => (request, response, all) =>
  request.url === "/v3/oauth/token/generate"
    ? json(response, { data: { accessToken: token, ttlSeconds: 3600 }, errors: null })
    : answer(request, response, all)
