/** A server of plain node:http for recording and replaying: whole bodies, one port, gone with its scope. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import { Refused } from "../Refused.js"

/** A call that has come in whole. */
export interface Incoming {
  readonly method: string
  readonly target: string
  readonly headers: Http.IncomingHttpHeaders
  readonly body: Buffer
}

/** The longest body that is read, in bytes. */
const longestBody = 16 * 1024 * 1024

/** Reads a stream to its end; `null` where it breaks or is too long. */
export const whole = (stream: Http.IncomingMessage): Promise<Buffer | null> =>
  new Promise((resolve) => {
    const chunks: Array<Buffer> = []
    let bytes = 0
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= longestBody) chunks.push(chunk)
    })
    stream.once("end", () => resolve(bytes <= longestBody ? Buffer.concat(chunks) : null))
    stream.once("error", () => resolve(null))
    stream.once("close", () => resolve(null))
  })

/** Listens on this machine alone; answers its URL. */
export const serve = (
  port: number,
  answer: (incoming: Incoming, res: Http.ServerResponse) => Promise<void>
): Effect.Effect<string, Refused, Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Http.createServer((req, res) => {
          void whole(req).then((body) => {
            if (body === null) return void res.destroy()
            return answer({ method: req.method ?? "GET", target: req.url ?? "/", headers: req.headers, body }, res)
          }).catch(() => res.destroy())
        })
      ),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    return yield* Effect.async<string, Refused>((resume) => {
      server.once("error", (error) => resume(Effect.fail(new Refused({ lines: [`Cannot listen on port ${port}: ${error.message}`] }))))
      server.listen(port, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : port}`))
      })
    })
  })
