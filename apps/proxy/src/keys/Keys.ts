/** The keys of all callers: kept in the file, and in memory for every request. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Store from "../Store.js"
import * as ApiKey from "./ApiKey.js"

/** The keys of all callers. */
export interface Service {
  /** The key that a secret is, in constant time; `null` where there is none, or it is revoked. */
  readonly find: (secret: string) => ApiKey.ApiKey | null
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
  createdMillis: row.created_at,
  revokedMillis: row.revoked_at
})

/** The keys that the file holds. */
export const make: Effect.Effect<Service, Store.StoreFailed, SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient
  const rows = yield* Store.attempt("read", sql<Row>`SELECT * FROM proxy_keys ORDER BY created_at, id`)
  const keys = new Map(rows.map(fromRow).map((key) => [key.id, key]))
  const index = ApiKey.index()
  for (const key of keys.values()) index.add(key)
  const keep = (key: ApiKey.ApiKey): void => {
    keys.set(key.id, key)
    index.add(key)
  }
  return {
    find: (secret) => {
      const key = index.find(secret)
      return key === null || key.revokedMillis !== null ? null : key
    },
    create: (grant) =>
      Effect.gen(function*() {
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
      }),
    list: Effect.sync(() => [...keys.values()].toReversed()),
    revoke: (id) =>
      Effect.gen(function*() {
        const key = keys.get(id)
        if (key === undefined || key.revokedMillis !== null) return key ?? null
        const revoked = { ...key, revokedMillis: yield* Clock.currentTimeMillis }
        yield* Store.attempt("written", sql`UPDATE proxy_keys SET revoked_at = ${revoked.revokedMillis} WHERE id = ${id}`)
        keep(revoked)
        return revoked
      })
  }
})

/** The keys that the file holds, as a layer. */
export const layer: Layer.Layer<Keys, Store.StoreFailed, SqlClient> = Layer.effect(Keys, make)
