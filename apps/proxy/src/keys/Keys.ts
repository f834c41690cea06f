/**
 * The keys of all callers: kept in the file or the database, and in memory for every request.
 *
 * A database is changed by other replicas and by the command line as well. One statement a second tells whether it was, so
 * that what they do holds here within two seconds. While the database is away, the keys in memory are as they were.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Store from "../Store.js"
import * as ApiKey from "./ApiKey.js"

/** The keys of all callers. */
export interface Service {
  /** The key that a secret is, in constant time; `null` where there is none, or it is revoked. */
  readonly find: (secret: string) => ApiKey.ApiKey | null
  /**
   * The same, but for a secret that is not known here it looks into a shared database first, a second at most. That is
   * bounded: whoever guesses keys causes five statements a second in all, and who comes in between is told `null` at once.
   */
  readonly seek: (secret: string) => Effect.Effect<ApiKey.ApiKey | null>
  /** Makes a key; the secret is nowhere else from here on. */
  readonly create: (
    grant: ApiKey.Grant
  ) => Effect.Effect<{ readonly key: ApiKey.ApiKey; readonly secret: Redacted.Redacted }, Store.StoreFailed>
  /** All keys, the latest first, revoked ones included. */
  readonly list: Effect.Effect<ReadonlyArray<ApiKey.ApiKey>>
  /** Revokes a key at once; `null` where there is none of this id. */
  readonly revoke: (id: string) => Effect.Effect<ApiKey.ApiKey | null, Store.StoreFailed>
}

/** The keys of all callers. */
export class Keys extends Context.Tag("@milepost/proxy/Keys")<Keys, Service>() {}

interface Row {
  readonly id: string
  readonly hash: string
  readonly name: string
  readonly orgs: string
  readonly target_groups: string | null
  readonly per_minute: number | null
  readonly created_at: number
  readonly revoked_at: number | null
}

const fromRow = (row: Row): ApiKey.ApiKey => ({
  id: row.id,
  hash: row.hash,
  name: row.name,
  orgs: JSON.parse(row.orgs) as ReadonlyArray<string>,
  targetGroups: row.target_groups === null ? null : JSON.parse(row.target_groups) as ReadonlyArray<number>,
  perMinute: row.per_minute,
  createdMillis: Number(row.created_at),
  revokedMillis: row.revoked_at === null ? null : Number(row.revoked_at)
})

/** What tells that keys were made or revoked: neither number ever falls, but by somebody's hand. */
interface Mark {
  readonly keys: number
  readonly revoked: number
  readonly latest: number | null
  readonly latest_revoked: number | null
}

const textOf = ({ keys, latest, latest_revoked, revoked }: Mark): string => [keys, revoked, latest, latest_revoked].join(" ")

/** How often a shared database is looked at. */
const every = "1 second"

/** Between two looks that unknown secrets cause. */
const seekEveryMillis = 200

/** How long a caller waits for such a look. */
const patience = "1 second"

/** The keys that the file or the database holds; of a database, what others do to them is followed until the scope ends. */
export const make: Effect.Effect<Service, Store.StoreFailed, Scope.Scope | SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient
  const scope = yield* Effect.scope
  const isShared = Store.isShared(sql)
  let keys = new Map<string, ApiKey.ApiKey>()
  let index = ApiKey.index()
  let seen = ""
  const keep = (key: ApiKey.ApiKey): void => {
    keys.set(key.id, key)
    index.add(key)
  }

  // What is read must not be older than what was written here meanwhile.
  const turn = (yield* Effect.makeSemaphore(1)).withPermits(1)

  /** Reads all keys where the database has changed. The mark comes first: what happens in between shows the next time. */
  const read = Effect.gen(function*() {
    const [mark] = yield* Store.attempt("read", sql<Mark>`
      SELECT COUNT(*) AS keys, COUNT(revoked_at) AS revoked, MAX(created_at) AS latest, MAX(revoked_at) AS latest_revoked FROM proxy_keys`)
    const found = mark === undefined ? "" : textOf(mark)
    if (found === seen) return
    const rows = yield* Store.attempt("read", sql<Row>`SELECT * FROM proxy_keys ORDER BY created_at, id`)
    keys = new Map()
    index = ApiKey.index()
    rows.map(fromRow).forEach(keep)
    seen = found
  })

  yield* read
  if (isShared) yield* Effect.forkScoped(Effect.repeat(Effect.ignore(turn(read)), Schedule.spaced(every)))

  let lookedMillis = Number.NEGATIVE_INFINITY
  let looking: Deferred.Deferred<void> | null = null

  /** One look for all who ask while it lasts; none where there was one just now. */
  const look = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      if (looking !== null) return yield* restore(Deferred.await(looking))
      const now = yield* Clock.currentTimeMillis
      if (now - lookedMillis < seekEveryMillis) return
      lookedMillis = now
      const done = yield* Deferred.make<void>()
      looking = done
      const ended = Effect.suspend(() => {
        looking = null
        return Deferred.succeed(done, undefined)
      })
      yield* Effect.forkIn(Effect.ensuring(Effect.interruptible(Effect.ignore(turn(read))), ended), scope)
      yield* restore(Deferred.await(done))
    })
  )

  const find = (secret: string): ApiKey.ApiKey | null => {
    const key = index.find(secret)
    return key === null || key.revokedMillis !== null ? null : key
  }

  return {
    find,
    seek: (secret) =>
      Effect.suspend(() => {
        // A revoked one is known.
        if (!isShared || index.find(secret) !== null) return Effect.succeed(find(secret))
        return Effect.map(Effect.timeoutOption(look, patience), () => find(secret))
      }),
    create: (grant) =>
      turn(Effect.gen(function*() {
        const made = ApiKey.make(grant, yield* Clock.currentTimeMillis)
        const { key } = made
        yield* Store.attempt("written", sql`INSERT INTO proxy_keys ${
          sql.insert({
            id: key.id,
            hash: key.hash,
            name: key.name,
            orgs: JSON.stringify(key.orgs),
            target_groups: key.targetGroups === null ? null : JSON.stringify(key.targetGroups),
            per_minute: key.perMinute,
            created_at: key.createdMillis,
            revoked_at: null
          })
        }`)
        keep(key)
        return made
      })),
    list: Effect.sync(() => [...keys.values()].toReversed()),
    revoke: (id) =>
      turn(Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        // Asked of the database: another replica may have made it a moment ago.
        const [row] = yield* Store.attempt("written", sql<Row>`
          UPDATE proxy_keys SET revoked_at = COALESCE(revoked_at, ${now}) WHERE id = ${id} RETURNING *`)
        if (row === undefined) return null
        const key = fromRow(row)
        keep(key)
        return key
      }))
  }
})

/** The keys that the file or the database holds, as a layer. */
export const layer: Layer.Layer<Keys, Store.StoreFailed, SqlClient> = Layer.scoped(Keys, make)
