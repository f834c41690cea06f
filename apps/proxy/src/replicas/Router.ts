/**
 * Takes the calls of people to the replica that has the customer's lane, so that they are ordered with everything else that is
 * sent for the customer, whichever replica was asked.
 *
 * A call for a lane of this replica goes on as if there were no others. A lane that is just changing hands is waited for.
 */
import * as Transport from "@milepost/core/Transport"
import { NoAnswer, NotSent, type TransportError } from "@milepost/core/TransportError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Agent, request as ask } from "undici"
import type { Ended, Gate } from "../upstream/Gate.js"
import * as Forwarded from "./Forwarded.js"
import { laneOf, type Owner, type Owners } from "./Owners.js"

/** How calls of people are made. */
export interface Calls extends Pick<Gate, "batch" | "begin" | "interactive"> {}

/** Makes the calls of an organisation, here or elsewhere. */
export type Router = (org: string, gate: Gate) => Calls

/** What it is made of. */
export interface Options {
  readonly owners: Owners
  /** What replicas know each other by. */
  readonly secret: Redacted.Redacted
  /** Has the owners looked up anew; completes when they are known. */
  readonly refresh: Effect.Effect<void>
}

/** So long a lane without an owner is waited for: one that is given back is taken within a second or two. */
const patienceMillis = 5_000
const lookAgainMillis = 250

/** An answer of another replica takes longer than its call by its way alone. */
const wayMillis = 2_000

/** The longest that another replica is waited for, where the caller names no time. */
const longestMillis = 60_000

const connectMillis = 2_000

const nobody = new NotSent({ reason: "Closed", message: "no replica has the customer's lane just now; the call was not sent" })

const never = (): boolean => false

interface Coded {
  readonly code?: unknown
}

/** Errors before anything was sent. */
const beforeSending: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT", "UND_ERR_CLOSED", "UND_ERR_DESTROYED"])

/** What another replica made of a call; `null` where it had not begun it, and somebody else may. */
type Reply = Exit.Exit<Transport.Response, TransportError> | null

/** What replicas say to each other. */
export interface Wire {
  readonly route: Router
  /** Tells others that something is wished for; whoever does not hear it finds it in the database a moment later. */
  readonly tell: (addresses: ReadonlyArray<string>) => void
}

/** The wire to the other replicas, over connections that are closed with the scope. */
export const make = ({ owners, refresh, secret }: Options): Effect.Effect<Wire, never, Scope.Scope> =>
  Effect.gen(function*() {
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new Agent({ connections: 64, pipelining: 1, keepAliveTimeout: 10_000, connect: { timeout: connectMillis } })),
      (agent) => Effect.promise(() => agent.destroy())
    )
    const clock = yield* Effect.clock
    const authorization = `Bearer ${Redacted.value(secret)}`

    const post = async (address: string, body: string, timeoutMillis: number): Promise<Reply> => {
      try {
        const answer = await ask(new URL(Forwarded.path, address), {
          dispatcher: agent,
          method: "POST",
          headers: { authorization, "content-type": "application/json" },
          body,
          headersTimeout: timeoutMillis,
          bodyTimeout: timeoutMillis
        })
        const text = await answer.body.text()
        // It is not the owner, or about to stop.
        if (answer.statusCode === Forwarded.notOwner || answer.statusCode === 503) return null
        return Option.getOrElse(Forwarded.readExit(text), () =>
          Exit.fail(new NoAnswer({ reason: "Reset", message: `the replica at ${address} answered ${answer.statusCode}`, requestId: null })))
      } catch (error) {
        const { code } = error as Coded
        if (beforeSending.has(code)) return null
        const isLate = code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT"
        return Exit.fail(new NoAnswer({
          reason: isLate ? "Timeout" : "Reset",
          message: `the replica at ${address} ${isLate ? "did not answer in time" : "went away before it answered"}`,
          requestId: null
        }))
      }
    }

    /** Sends a call to whoever has the lane, as long as that is somebody else; `here` where it is this replica by now. */
    const elsewhere = async (lane: number, call: Forwarded.Forwarded): Promise<Reply | "here"> => {
      const until = clock.unsafeCurrentTimeMillis() + Math.min(patienceMillis, call.request.timeoutMillis ?? patienceMillis)
      const body = Forwarded.write(call)
      const timeoutMillis = (call.request.timeoutMillis ?? longestMillis) + wayMillis
      let owner: Owner | null = owners.ownerOf(lane)
      for (;;) {
        if (owners.holds(lane)) return "here"
        if (owner !== null && owner !== "self") {
          const reply = await post(owner.address, body, timeoutMillis)
          if (reply !== null) return reply
        }
        if (clock.unsafeCurrentTimeMillis() >= until) return null
        await new Promise((resolve) => setTimeout(resolve, lookAgainMillis))
        await Effect.runPromise(Effect.ignore(refresh))
        owner = owners.ownerOf(lane)
      }
    }

    const tell: Wire["tell"] = (addresses) => {
      for (const address of addresses) {
        const told = ask(new URL(Forwarded.lookPath, address), { dispatcher: agent, method: "POST", headers: { authorization }, headersTimeout: wayMillis })
        told.then(({ body }) => body.dump()).catch(() => undefined)
      }
    }

    const route: Router = (org, gate) => {
      const begin = (request: Transport.Request, ended: Ended): () => boolean => {
        const lane = laneOf(owners, request.customerId)
        if (owners.holds(lane)) return gate.begin(request, ended)
        let takeBack = never
        let isTakenBack = false
        void elsewhere(lane, { org, priority: "interactive", request }).then((reply) => {
          if (isTakenBack) return
          if (reply === "here") takeBack = gate.begin(request, ended)
          else ended(reply ?? Exit.fail(nobody))
        })
        return () => {
          // What another replica was asked for may have left.
          isTakenBack = takeBack !== never && takeBack()
          return isTakenBack
        }
      }
      const sending = (priority: Forwarded.Priority) =>
        Transport.make((request) =>
          Effect.suspend(() => {
            const lane = laneOf(owners, request.customerId)
            if (owners.holds(lane)) return gate[priority].send(request)
            // Not to be given up once another replica was asked: nobody would know what became of it.
            return Effect.uninterruptible(Effect.flatMap(
              Effect.promise(() => elsewhere(lane, { org, priority, request })),
              (reply) => reply === "here" ? gate[priority].send(request) : reply ?? Effect.fail(nobody)
            ))
          })
        )
      return { begin, interactive: sending("interactive"), batch: sending("batch") }
    }
    return { route, tell }
  })
