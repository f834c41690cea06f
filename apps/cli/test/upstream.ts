/** A small upstream over a real socket that remembers whom it was called for, and never forgets whom it enrolled. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** What the upstream does with a call, beside remembering it. */
export type Answer = (call: {
  readonly customer: number
  readonly group: number
  /** How many calls there were before, this one's customer or not. */
  readonly before: number
  readonly response: ServerResponse
  /** Answers as the real one does. */
  readonly accept: () => void
}) => void

/** An upstream that runs. */
export interface Upstream {
  readonly env: Readonly<Record<string, string>>
  /** Customers in the order of their calls. */
  readonly calls: ReadonlyArray<number>
  /** When each of them came, in milliseconds. */
  readonly moments: ReadonlyArray<number>
  /** Calls that came while another one of the same customer was not answered. */
  readonly overlaps: () => number
  /** What it does from now on. */
  readonly answer: (answer: Answer) => void
  readonly stop: () => Promise<void>
}

/** An application error, as the upstream words it. */
export const refuse = (response: ServerResponse, code: number, message: string, status = 200): void => {
  response.statusCode = status
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify({ data: null, errors: [{ code, message }], warnings: null }))
}

const after = (millis: number): Answer => ({ accept }) => {
  setTimeout(accept, millis)
}

/** Starts an upstream that answers after some milliseconds, until it is told otherwise. */
export const upstream = async (latencyMillis = 5): Promise<Upstream> => {
  const calls: Array<number> = []
  const moments: Array<number> = []
  const enrolled = new Set<string>()
  const inFlight = new Set<number>()
  let overlaps = 0
  let answer: Answer = after(latencyMillis)
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk: Buffer) => (body += chunk.toString()))
    request.on("end", () => {
      const [, group = "", target = "", verb = ""] = /targetGroups\/(\d+)\/targets\/(\d+)\/(\w+)/.exec(request.url ?? "") ?? []
      const [record] = JSON.parse(body) as ReadonlyArray<{ readonly customerId: number; readonly periodName?: string }>
      const customer = record?.customerId ?? 0
      const key = `${group}/${target}/${customer}/${record?.periodName ?? ""}`
      if (inFlight.has(customer)) overlaps += 1
      inFlight.add(customer)
      response.on("close", () => inFlight.delete(customer))
      const before = calls.length
      calls.push(customer)
      moments.push(performance.now())
      const accept = (): void => {
        if (verb === "enroll" && enrolled.has(key)) {
          refuse(response, 310119, "already enrolled")
          return
        }
        enrolled.add(key)
        response.setHeader("content-type", "application/json")
        response.end(`{"data":${customer},"errors":null,"warnings":null}`)
      }
      answer({ customer, group: Number(group), before, response, accept })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    env: {
      MILEPOST_HOST: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      MILEPOST_USERNAME: "till",
      MILEPOST_PASSWORD: "canary-password"
    },
    calls,
    moments,
    overlaps: () => overlaps,
    answer: (given) => {
      answer = given
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      })
  }
}
