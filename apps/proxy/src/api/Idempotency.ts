/**
 * `Idempotency-Key`, after the draft of the IETF: the first answer is kept, and given again to the same request.
 *
 * A key belongs to the API key that it came with. It is taken before anything is done; who comes with it meanwhile, here
 * or at another replica, is told to wait, and who comes with another body is refused. What was refused before anything was
 * done is not kept.
 *
 * What somebody has taken who is gone may be taken again: enrolling twice does no harm. It carries who took it for that, and
 * a taker whose place was taken writes nothing over the answer of the other.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { createHash, randomBytes } from "node:crypto"
import * as Store from "../Store.js"
import * as Problem from "./Problem.js"

/** How long a first answer is kept. */
export const lifetimeMillis = 86_400_000

/** An answer that can be given again. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Keeps first answers. */
export interface Service {
  /** Answers a request once, and from then on as the first time. */
  readonly once: <R>(
    request: Request,
    answer: Effect.Effect<Answer, Problem.Problem, R>
  ) => Effect.Effect<Answer, Problem.Problem, R>
}

/** Who else may be at work on requests. */
export interface Replicas {
  /** What the others know this process by; another one after each start, or the same. */
  readonly self: string
  /** Whether another replica is still there, so that what it has begun may still end. */
  readonly isLiving: (replica: string) => Effect.Effect<boolean, unknown>
}

/** One process: whoever else was at work is gone. */
export const alone: Replicas = { self: "alone", isLiving: () => Effect.succeed(false) }

/** A request that came with a key. */
export interface Request {
  readonly owner: string
  readonly key: string
  readonly fingerprint: string
  /** The digest of a body that is too long for the fingerprint: reads what has not been read of it. */
  readonly content?: Effect.Effect<string, Problem.Problem>
}

/** What makes two requests the same: route and body. */
export const fingerprint = (...parts: ReadonlyArray<string>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest("hex")
}

/** Whether a text can be a key: 1 to 255 visible characters. */
export const isKey = (text: string): boolean => /^[\x21-\x7e]{1,255}$/.test(text)

/** Refusals that say nothing of the request: it may be sent again under the same key. */
const passing: ReadonlySet<number> = new Set([401, 403, 429, 503])

interface Row {
  readonly fingerprint: string
  /** `null` where the body did not count, or was not read to its end. */
  readonly content: string | null
  readonly status: number | null
  readonly headers: string | null
  readonly body: string | null
  /** One request of one replica; `null` from before there were several. */
  readonly taker: string | null
}

/** A taking of a request: unlike any other, and it tells whose it is. */
const takerOf = (replica: string): string => `${randomBytes(9).toString("base64url")}@${replica}`

const replicaOf = (taker: string): string => taker.slice(taker.indexOf("@") + 1)

const unavailable = Effect.mapError(({ message }: Store.StoreFailed) => Problem.make("storage", message, { retryAfterMillis: 5_000 }))

const stillRunning = Problem.make("still-running", "The first request with this key has no answer yet.", { retryAfterMillis: 1_000 })

/** Keeps first answers in the file or the database, until the scope ends. */
export const make = (replicas: Replicas = alone): Effect.Effect<Service, never, Scope.Scope | SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const scope = yield* Effect.scope
    // Of several replicas one may be in another's way: it is as well later.
    const clear = Effect.flatMap(Clock.currentTimeMillis, (now) => sql`DELETE FROM proxy_first_answers WHERE created_at < ${now - lifetimeMillis}`)
    yield* Effect.forkScoped(Effect.repeat(Effect.ignore(clear), Schedule.spaced("10 minutes")))

    /** What requests of this process have taken, and have not ended. */
    const mine = new Set<string>()

    const isAtWork = (taker: string | null): Effect.Effect<boolean, Store.StoreFailed> => {
      if (taker === null) return Effect.succeed(false)
      const replica = replicaOf(taker)
      return replica === replicas.self
        ? Effect.sync(() => mine.has(taker))
        : Effect.mapError(replicas.isLiving(replica), () => new Store.StoreFailed({ doing: "read", place: "database" }))
    }

    const replay = (found: Row): Effect.Effect<Answer> => {
      const headers = JSON.parse(found.headers ?? "{}") as Readonly<Record<string, string>>
      return Effect.succeed({ status: found.status ?? 500, headers: { ...headers, "idempotent-replayed": "true" }, body: found.body ?? "" })
    }

    const other = Effect.fail(Problem.make("other-request", "Route or body differ from the first request with this key."))

    const again = (found: Row, { content, fingerprint }: Request): Effect.Effect<Answer, Problem.Problem> => {
      if (found.fingerprint !== fingerprint) return other
      if (found.status === null) return Effect.fail(stillRunning)
      const replayed = replay(found)
      return content === undefined || found.content === null
        ? replayed
        : Effect.flatMap(content, (digest) => digest === found.content ? replayed : other)
    }

    /** Takes a request's key; what was there before where somebody else has it. */
    const take = (request: Request, taker: string): Effect.Effect<Taken, Problem.Problem> =>
      Effect.gen(function*() {
        const { fingerprint, key, owner } = request
        const now = yield* Clock.currentTimeMillis
        // One that is too old counts as none, whether or not it is cleared away yet.
        const taken = yield* unavailable(Store.attempt("written", sql<object>`INSERT INTO proxy_first_answers ${
          sql.insert({ key_id: owner, idempotency_key: key, fingerprint, created_at: now, taker })
        } ON CONFLICT (key_id, idempotency_key) DO UPDATE
          SET fingerprint = excluded.fingerprint, created_at = excluded.created_at, taker = excluded.taker, content = NULL, status = NULL, headers = NULL, body = NULL
          WHERE proxy_first_answers.created_at < ${now - lifetimeMillis} RETURNING created_at`))
        if (taken.length > 0) return { isTaken: true }
        const [found] = yield* unavailable(Store.attempt("read", sql<Row>`
          SELECT fingerprint, content, status, headers, body, taker FROM proxy_first_answers WHERE key_id = ${owner} AND idempotency_key = ${key}`))
        // Given back in this moment: the next try finds it free.
        if (found === undefined) return { isTaken: false, found: null }
        if (found.status !== null || (yield* unavailable(isAtWork(found.taker)))) return { isTaken: false, found }
        // Only as it was found: of several who see that its taker is gone, one takes it.
        const retaken = yield* unavailable(Store.attempt("written", sql<object>`
          UPDATE proxy_first_answers SET taker = ${taker}, fingerprint = ${fingerprint}, created_at = ${now}
          WHERE key_id = ${owner} AND idempotency_key = ${key} AND status IS NULL AND COALESCE(taker, '') = ${found.taker ?? ""} RETURNING created_at`))
        return retaken.length > 0 ? { isTaken: true } : { isTaken: false, found: null }
      })

    return {
      once: (request, answer) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function*() {
            const { content, key, owner } = request
            const taker = takerOf(replicas.self)
            const given = Effect.sync(() => mine.delete(taker))
            mine.add(taker)
            const taken = yield* Effect.onError(take(request, taker), () => given)
            if (!taken.isTaken) {
              yield* given
              return yield* taken.found === null ? Effect.fail(stillRunning) : restore(again(taken.found, request))
            }
            const isMine = sql`key_id = ${owner} AND idempotency_key = ${key} AND taker = ${taker} AND status IS NULL`
            const forget = Effect.ensuring(Effect.ignore(sql`DELETE FROM proxy_first_answers WHERE ${isMine}`), given)
            const exit = yield* Effect.exit(restore(answer))
            if (Exit.isFailure(exit)) {
              yield* forget
              return yield* exit
            }
            const { body, headers, status } = exit.value
            if (passing.has(status)) yield* forget
            else {
              // A body that was refused may not have been read to its end.
              const digest = content === undefined || status >= 400 ? null : yield* Effect.orElseSucceed(content, () => null)
              const write = sql`UPDATE proxy_first_answers SET content = ${digest}, status = ${status}, headers = ${JSON.stringify(headers)}, body = ${body}
                WHERE ${isMine}`
              // The answer is known and true, whether or not it can be kept now: until it is, who comes again waits.
              const kept = Effect.ensuring(Effect.retry(write, untilKept), given)
              yield* Effect.matchEffect(write, { onFailure: () => Effect.forkIn(kept, scope), onSuccess: () => given })
            }
            return exit.value
          })
        )
    }
  })

type Taken = { readonly isTaken: true } | { readonly isTaken: false; readonly found: Row | null }

/** For as long as it would be kept. */
const untilKept = Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(lifetimeMillis / 1_000))
