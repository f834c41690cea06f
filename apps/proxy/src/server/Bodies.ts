/** Reads small bodies as a whole, within a size and a time: a client that sends too much or too slowly is cut off. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"

/** What became of a body. */
export type Body =
  | { readonly _tag: "Whole"; readonly text: string }
  | { readonly _tag: "TooLarge" }
  | { readonly _tag: "NotUtf8" }

/** Reads small bodies. */
export interface Bodies {
  /** Calls back once, or never where the client has gone or was cut off. */
  readonly read: (req: IncomingMessage, mostBytes: number, then: (body: Body) => void) => void
  /** Cuts the connection when the request is not there as a whole in time. */
  readonly hurry: (req: IncomingMessage) => void
}

/** How long a small body may take. */
const patienceMillis = 10_000
const sweepMillis = 1_000

const byteOrderMark = 0xfeff

const decoded = (bytes: Buffer): Body => {
  if (!isUtf8(bytes)) return { _tag: "NotUtf8" }
  const text = bytes.toString()
  return { _tag: "Whole", text: text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text }
}

/** A reader; one timer looks after all bodies that are on their way. */
export const make = (nowMillis: () => number): Effect.Effect<Bodies, never, Scope.Scope> =>
  Effect.gen(function*() {
    const arriving = new Map<IncomingMessage, number>()
    const sweep = (): void => {
      const now = nowMillis()
      for (const [req, since] of arriving) {
        if (req.complete || req.destroyed) arriving.delete(req)
        else if (now - since > patienceMillis) {
          arriving.delete(req)
          req.socket.destroy()
        }
      }
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => setInterval(sweep, sweepMillis).unref()),
      (timer) => Effect.sync(() => clearInterval(timer))
    )
    const hurry = (req: IncomingMessage): void => void arriving.set(req, nowMillis())
    return {
      hurry,
      read: (req, mostBytes, then) => {
        const chunks: Array<Buffer> = []
        let bytes = 0
        let isOver = false
        const end = (body: Body): void => {
          if (isOver) return
          isOver = true
          arriving.delete(req)
          then(body)
        }
        hurry(req)
        req.on("data", (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > mostBytes) end({ _tag: "TooLarge" })
          else if (!isOver) chunks.push(chunk)
        })
        req.on("end", () => {
          const [first] = chunks
          end(decoded(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)))
        })
        req.on("error", () => {
          isOver = true
          arriving.delete(req)
        })
      }
    }
  })
