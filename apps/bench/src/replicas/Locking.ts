/**
 * What would order the calls for a customer without anybody owning him: a lock in the database around each call.
 *
 * A proxy that takes an advisory lock, passes the call on, and lets the lock go: one session a call in flight, as the lock
 * belongs to the session. It looks at no key, no record and no answer, so that what it costs beside one that takes no lock is
 * the lock.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Pool as Sessions } from "pg"
import { Pool } from "undici"
import * as Processes from "../Processes.js"
import * as Work from "../Work.js"

/** Whether calls for one customer are ordered by a lock, or not at all. */
export const names = ["lock", "no-lock"] as const

/** The name of a way. */
export type Name = (typeof names)[number]

/** A proxy that listens. */
export interface Listening {
  readonly origin: string
  readonly close: () => Promise<void>
}

type Ordered = <A>(customerId: number, call: () => Promise<A>) => Promise<A>

const unordered: Ordered = (_, call) => call()

const locked = (sessions: Sessions): Ordered => async (customerId, call) => {
  const session = await sessions.connect()
  try {
    await session.query({ name: "lock", text: "SELECT pg_advisory_lock($1)", values: [customerId] })
    try {
      return await call()
    } finally {
      await session.query({ name: "unlock", text: "SELECT pg_advisory_unlock($1)", values: [customerId] })
    }
  } finally {
    session.release()
  }
}

const whole = async (req: IncomingMessage): Promise<string> => {
  let body = ""
  for await (const chunk of req.setEncoding("utf8")) body += String(chunk)
  return body
}

const answer = (res: ServerResponse, status: number, body: string): void => {
  res.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  res.end(body)
}

const listening = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })

/** Starts a proxy in this process, on a free port of this machine. */
export const listen = async (name: Name, upstream: string, database: string): Promise<Listening> => {
  const pool = new Pool(upstream, { connections: Work.inFlight })
  const sessions = new Sessions({ connectionString: database, max: Work.inFlight, idleTimeoutMillis: 0 })
  const ordered = name === "lock" ? locked(sessions) : unordered
  const pass = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const body = await whole(req)
    const [{ customerId }] = JSON.parse(body) as readonly [{ readonly customerId: number }]
    const { statusCode, text } = await ordered(customerId, async () => {
      const answered = await pool.request({ method: "POST", path: req.url ?? "/", headers: Work.headers, body })
      return { statusCode: answered.statusCode, text: await answered.body.text() }
    })
    answer(res, statusCode, text)
  }
  const server = createServer((req, res) => void pass(req, res).catch(() => answer(res, 502, "{}")))
  server.keepAliveTimeout = 60_000
  return {
    origin: await listening(server),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await Promise.all([pool.close(), sessions.end()])
    }
  }
}

const isName = (word: string | undefined): word is Name => names.some((name) => name === word)

/** The process: `locking lock|no-lock <origin of the upstream> <database>`; answers `cpu` with what it has used. */
export const main = async ([name, upstream, database]: ReadonlyArray<string>): Promise<void> => {
  if (!isName(name) || upstream === undefined || database === undefined) throw new Error(`there is no way ${name}`)
  const { close, origin } = await listen(name, upstream, database)
  process.on("message", () => Processes.tellParent({ cpuSeconds: Processes.cpuSeconds() }))
  process.on("disconnect", () => void close().then(() => process.exit()))
  Processes.tellParent({ origin })
}
