/**
 * The upstream of the benchmarks: it checks a call as far as the documents describe one, and answers at once or after a wait.
 *
 * It knows no customers and keeps nothing, so that it costs little beside its clients. In a benchmark it is a process of
 * its own; a test listens inside its own process, and can have it answer wrongly.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Processes from "./Processes.js"
import * as Work from "./Work.js"

/** What it answers a good call: what it should, another customer's id, or a documented refusal. */
export type Answers = "right" | "another customer" | "a refusal"

/** An upstream in this process. */
export interface Listening {
  readonly origin: string
  /** How many calls were answered 200. */
  readonly accepted: () => number
  /** How many calls it had at once, at most. */
  readonly mostAtOnce: () => number
  /** Waits until so many further calls have arrived. */
  readonly arrived: (calls: number) => Promise<void>
  /** When each call arrived, in milliseconds of a clock that nobody sets. */
  readonly arrivals: () => ReadonlyArray<number>
  readonly close: () => Promise<void>
}

const route = new RegExp(`^${Work.basePath.replaceAll(".", "\\.")}/targetGroups/\\d+/targets/\\d+/enroll$`)

const customerOf = (body: string): number | null => {
  const records = JSON.parse(body) as ReadonlyArray<{ readonly customerId?: unknown; readonly periodName?: unknown }>
  const id = records.length === 1 && typeof records[0]?.periodName === "string" ? records[0].customerId : null
  return typeof id === "number" ? id : null
}

const refusal = (request: IncomingMessage): number | null => {
  if (request.method !== "POST" || !route.test(request.url ?? "")) return 404
  if (request.headers.authorization !== Work.headers.Authorization) return 401
  return request.headers["content-type"]?.startsWith("application/json") === true ? null : 415
}

const reply = (response: ServerResponse, status: number, body: string): void => {
  response.writeHead(status, ["Content-Type", "application/json", "Content-Length", String(Buffer.byteLength(body))])
  response.end(body)
}

const noted = (code: number, message: string): string =>
  `{"data":null,"errors":[{"code":${code},"message":"${message}"}],"warnings":null}`

/** Listens on a free port of this machine, and answers at once or after a wait; nobody before it has `together` calls at once. */
export const listen = async (answers: Answers = "right", waitMillis = 0, together = 0, remembers = false): Promise<Listening> => {
  const arrivals: Array<number> = []
  let held: Array<() => void> = []
  let accepted = 0
  let open = 0
  let mostAtOnce = 0
  let awaited = 0
  let tell: () => void = () => undefined

  const answer = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    open -= 1
    const refused = refusal(request)
    if (refused !== null) return reply(response, refused, noted(refused, "not a call of the family"))
    const customerId = customerOf(body)
    if (customerId === null) return reply(response, 400, noted(400, "not a record"))
    if (answers === "a refusal") return reply(response, 400, noted(310017, "refused by the benchmark's upstream"))
    accepted += 1
    const named = answers === "right" ? customerId : customerId + 1
    reply(response, 200, `{"data":${named},"errors":null,"warnings":null}`)
  }

  const server = createServer((request, response) => {
    if (remembers) arrivals.push(performance.now())
    open += 1
    mostAtOnce = Math.max(mostAtOnce, open)
    awaited -= 1
    if (awaited === 0) tell()
    let body = ""
    request.setEncoding("utf8")
    request.on("data", (chunk: string) => {
      body += chunk
    })
    request.on("end", () => {
      const answering = (): void => answer(request, response, body)
      held.push(waitMillis === 0 ? answering : () => void setTimeout(answering, waitMillis))
      if (mostAtOnce < together) return
      const all = held
      held = []
      for (const one of all) one()
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accepted: () => accepted,
    mostAtOnce: () => mostAtOnce,
    arrived: (calls) =>
      new Promise((resolve) => {
        awaited = calls
        tell = resolve
      }),
    arrivals: () => arrivals,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

/** An upstream in a process of its own. */
export interface Running {
  readonly origin: string
  /** The seconds of CPU that it has used. */
  readonly cpuSeconds: () => Promise<number>
  /** Waits until so many further calls have arrived. */
  readonly arrived: (calls: number) => Promise<void>
  /** When each call arrived, in milliseconds; of one that remembers. */
  readonly arrivals: () => Promise<ReadonlyArray<number>>
  readonly stop: () => Promise<void>
}

/** Starts one in a process of its own, which answers at once or after a wait, and remembers when calls arrived where that is wanted. */
export const start = async (waitMillis = 0, remembers = false): Promise<Running> => {
  const child = Processes.start("upstream", String(waitMillis), remembers ? "remembers" : "forgets")
  const { origin } = await child.next<{ readonly origin: string }>()
  return {
    origin,
    cpuSeconds: async () => {
      child.send("cpu")
      return (await child.next<{ readonly cpuSeconds: number }>()).cpuSeconds
    },
    arrived: async (calls) => {
      child.send(String(calls))
      await child.next()
    },
    arrivals: async () => {
      child.send("arrivals")
      return (await child.next<{ readonly arrivals: ReadonlyArray<number> }>()).arrivals
    },
    stop: child.stop
  }
}

/**
 * The process: `upstream <milliseconds to wait> remembers|forgets`. Listens until its parent is gone; answers `cpu` with what
 * it has used, `arrivals` with when calls arrived, and a number when so many further calls have arrived.
 */
export const main = async ([waitMillis, memory]: ReadonlyArray<string>): Promise<void> => {
  const { arrivals, arrived, close, origin } = await listen("right", Number(waitMillis), 0, memory === "remembers")
  process.on("message", (message) => {
    if (message === "cpu") Processes.tellParent({ cpuSeconds: Processes.cpuSeconds() })
    else if (message === "arrivals") Processes.tellParent({ arrivals: arrivals() })
    else void arrived(Number(message)).then(() => Processes.tellParent({ arrived: message }))
  })
  process.on("disconnect", () => void close())
  Processes.tellParent({ origin })
}
