/**
 * What somebody writes instead of a product: proxies that put the till's credentials in the place of the caller's key, pass
 * the rest on, and hand the answer back.
 *
 * They look at no key, no record and no answer, keep no order and repeat nothing. Each is a process of its own.
 */
import httpProxy from "@fastify/http-proxy"
import Fastify, { type FastifyInstance } from "fastify"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type Dispatcher, Pool } from "undici"
import * as Work from "../Work.js"

/** The proxies. */
export const names = ["raw", "dispatch", "route", "http-proxy"] as const

/** The name of a proxy. */
export type Name = (typeof names)[number]

/** A proxy that listens. */
export interface Listening {
  readonly origin: string
  readonly close: () => Promise<void>
}

const path = `${Work.basePath}/targetGroups/:group/targets/:target/enroll`

const listening = async (pool: Pool, handle: (req: IncomingMessage, res: ServerResponse) => void): Promise<Listening> => {
  const server = createServer(handle)
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await pool.close()
    }
  }
}

const whole = (req: IncomingMessage, then: (body: string) => void): void => {
  let body = ""
  req.setEncoding("utf8")
  req.on("data", (chunk: string) => {
    body += chunk
  })
  req.on("end", () => then(body))
}

const answer = (res: ServerResponse, status: number, body: string): void => {
  res.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  res.end(body)
}

const failed = (res: ServerResponse): void => answer(res, 502, "{}")

const pooled = (origin: string): Pool => new Pool(origin, { connections: Work.inFlight })

/** `node:http` over `Pool.request`. */
const raw = (upstream: string): Promise<Listening> => {
  const pool = pooled(upstream)
  return listening(pool, (req, res) =>
    whole(req, (body) => {
      pool.request({ method: "POST", path: req.url ?? "/", headers: Work.headers, body }).then(
        async (answered) => answer(res, answered.statusCode, await answered.body.text())
      ).catch(() => failed(res))
    }))
}

class Passing implements Dispatcher.DispatchHandler {
  private status = 0
  private text = ""

  constructor(private readonly res: ServerResponse) {}

  onRequestStart(): void {}

  onResponseStart(_: Dispatcher.DispatchController, status: number): void {
    this.status = status
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.text += chunk.toString()
  }

  onResponseEnd(): void {
    answer(this.res, this.status, this.text)
  }

  onResponseError(): void {
    failed(this.res)
  }
}

/** `node:http` over `Pool.dispatch`: below this there is only another language. */
const dispatch = (upstream: string): Promise<Listening> => {
  const pool = pooled(upstream)
  return listening(pool, (req, res) =>
    whole(req, (body) =>
      pool.dispatch({ method: "POST", path: req.url ?? "/", headers: Work.headers, body }, new Passing(res))))
}

const served = async (app: FastifyInstance): Promise<Listening> => ({
  origin: await app.listen({ port: 0, host: "127.0.0.1" }),
  close: () => app.close()
})

/** A route of fastify over `Pool.request`. */
const route = (upstream: string): Promise<Listening> => {
  const pool = pooled(upstream)
  const app = Fastify({ forceCloseConnections: true })
  app.addHook("onClose", () => pool.close())
  app.post(path, async (request, reply) => {
    const answered = await pool.request({
      method: "POST",
      path: request.url,
      headers: Work.headers,
      body: JSON.stringify(request.body)
    })
    return reply.code(answered.statusCode).type("application/json").send(await answered.body.text())
  })
  return served(app)
}

/** `@fastify/http-proxy`, which is nothing but configured. */
const byPlugin = async (upstream: string): Promise<Listening> => {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(httpProxy, {
    upstream,
    undici: { connections: Work.inFlight },
    replyOptions: { rewriteRequestHeaders: (_, headers) => ({ ...headers, authorization: Work.headers.Authorization }) }
  })
  return served(app)
}

/** Starts a proxy in this process, on a free port of this machine. */
export const listen: Readonly<Record<Name, (upstream: string) => Promise<Listening>>> = {
  raw,
  dispatch,
  route,
  "http-proxy": byPlugin
}

const isName = (word: string | undefined): word is Name => names.some((name) => name === word)

/** The process: `forwarding <name> <origin of the upstream>`; tells where it listens, and does so until it is killed. */
export const main = async ([name, upstream]: ReadonlyArray<string>): Promise<void> => {
  if (!isName(name) || upstream === undefined) throw new Error(`there is no proxy ${name}`)
  console.log(`${name} listens at ${(await listen[name](upstream)).origin}`)
}
