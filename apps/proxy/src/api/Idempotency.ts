/**
 * `Idempotency-Key`, after the draft of the IETF: the first answer is kept, and given again to the same request.
 *
 * A key belongs to the API key that it came with. It is taken before anything is done; who comes with it meanwhile is told
 * to wait, and who comes with another body is refused. What was refused before anything was done is not kept.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { createHash } from "node:crypto"
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
}

const unavailable = Effect.mapError(({ message }: Store.StoreFailed) => Problem.make("storage", message, { retryAfterMillis: 5_000 }))

/** Keeps first answers in the file. What a process that died had begun may be begun again: enrolling twice does no harm. */
export const make: Effect.Effect<Service, Store.StoreFailed, SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient
  yield* Store.attempt("written", sql`DELETE FROM proxy_first_answers WHERE status IS NULL`)

  const again = (found: Row | undefined, { content, fingerprint }: Request): Effect.Effect<Answer, Problem.Problem> => {
    if (found === undefined || (found.status === null && found.fingerprint === fingerprint)) {
      return Effect.fail(Problem.make("still-running", "The first request with this key has no answer yet.", { retryAfterMillis: 1_000 }))
    }
    const other = Effect.fail(Problem.make("other-request", "Route or body differ from the first request with this key."))
    if (found.fingerprint !== fingerprint) return other
    const replayed = replay(found)
    return content === undefined || found.content === null
      ? replayed
      : Effect.flatMap(content, (digest) => digest === found.content ? replayed : other)
  }

  const replay = (found: Row): Effect.Effect<Answer> => {
    const headers = JSON.parse(found.headers ?? "{}") as Readonly<Record<string, string>>
    return Effect.succeed({ status: found.status ?? 500, headers: { ...headers, "idempotent-replayed": "true" }, body: found.body ?? "" })
  }

  return {
    once: (request, answer) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const { content, fingerprint, key, owner } = request
          const now = yield* Clock.currentTimeMillis
          yield* unavailable(Store.attempt("written", sql`DELETE FROM proxy_first_answers WHERE created_at < ${now - lifetimeMillis}`))
          const taken = yield* unavailable(Store.attempt("written", sql<object>`INSERT INTO proxy_first_answers ${
            sql.insert({ key_id: owner, idempotency_key: key, fingerprint, created_at: now })
          } ON CONFLICT DO NOTHING RETURNING created_at`))
          if (taken.length === 0) {
            const [found] = yield* unavailable(Store.attempt("read", sql<Row>`
              SELECT fingerprint, content, status, headers, body FROM proxy_first_answers WHERE key_id = ${owner} AND idempotency_key = ${key}`))
            return yield* restore(again(found, request))
          }
          const forget = Effect.ignore(sql`DELETE FROM proxy_first_answers WHERE key_id = ${owner} AND idempotency_key = ${key}`)
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
            // The answer is known and true, whether or not it can be kept.
            yield* Effect.ignore(sql`UPDATE proxy_first_answers SET content = ${digest}, status = ${status}, headers = ${JSON.stringify(headers)}, body = ${body}
              WHERE key_id = ${owner} AND idempotency_key = ${key}`)
          }
          return exit.value
        })
      )
  }
})
