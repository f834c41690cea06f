/**
 * Calls that other replicas ask this one to make, because it has the customer's lane.
 *
 * Nobody else knows the secret; to whoever does not, there is no such route.
 */
import { NotSent, type TransportError } from "@milepost/core/TransportError"
import type * as Transport from "@milepost/core/Transport"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Bodies } from "../server/Bodies.js"
import * as Exchange from "../server/Exchange.js"
import type { Service as Upstreams } from "../upstream/Upstreams.js"
import * as Forwarded from "./Forwarded.js"
import { laneOf, type Owners } from "./Owners.js"

/** Takes a request of another replica on; `false` where it is none. */
export type Internal = (req: IncomingMessage, res: ServerResponse) => boolean

/** What it is made of. */
export interface Options {
  readonly owners: Pick<Owners, "holds" | "lanes">
  readonly upstreams: Pick<Upstreams, "get">
  readonly secret: Redacted.Redacted
  readonly bodies: Bodies
  /** Somebody wishes for something that is in the database by now. */
  readonly look: () => void
}

/** A call has some hundred bytes. */
const mostBytes = 131_072

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

const answer = (res: ServerResponse, status: number, body: string): void => {
  res.writeHead(status, { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) })
  res.end(body)
}

/** The route by which replicas ask each other. */
export const make = ({ bodies, look, owners, secret, upstreams }: Options): Effect.Effect<Internal> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const run = Runtime.runFork(runtime)
    const expected = digest(`Bearer ${Redacted.value(secret)}`)

    const told = (res: ServerResponse, exit: Exit.Exit<Transport.Response, TransportError>): void => {
      const text = Forwarded.writeExit(exit)
      // A bug of ours: the call may have been made.
      if (Option.isNone(text)) return answer(res, 500, "{}")
      answer(res, 200, text.value)
    }

    const call = (res: ServerResponse, { org, priority, request }: Forwarded.Forwarded): void => {
      const upstream = upstreams.get(org)
      if (upstream === undefined || !owners.holds(laneOf(owners, request.customerId))) return answer(res, Forwarded.notOwner, "{}")
      const made = Effect.catchTag(upstream.forwarded(priority, request), "Busy", ({ message }) => new NotSent({ reason: "Closed", message }))
      run(Effect.map(Effect.exit(made), (exit) => told(res, exit)))
    }

    return (req, res) => {
      if (req.url !== Forwarded.path && req.url !== Forwarded.lookPath) return false
      const exchange = Exchange.of(req)
      // Digests are of one length, whatever was presented.
      if (req.method !== "POST" || !timingSafeEqual(digest(req.headers.authorization ?? ""), expected)) return false
      exchange.route = req.url
      if (req.url === Forwarded.lookPath) {
        look()
        answer(res, 200, "{}")
        return true
      }
      bodies.read(req, mostBytes, (body) => {
        const asked = body._tag === "Whole" ? Forwarded.read(body.text) : Option.none()
        if (Option.isNone(asked)) answer(res, 400, "{}")
        else call(res, asked.value)
      })
      return true
    }
  })
