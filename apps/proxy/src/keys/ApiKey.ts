/**
 * A caller's key: 256 random bits that are shown once, and of which only the SHA-256 is kept.
 *
 * A key is found by the first half of its hash and compared by the whole of it, in constant time.
 */
import * as Redacted from "effect/Redacted"
import { hash, randomBytes, timingSafeEqual } from "node:crypto"

/** What is known of a key. */
export interface ApiKey {
  /** Names the key to people; no secret. */
  readonly id: string
  /** SHA-256 of the key, in hexadecimal. */
  readonly hash: string
  readonly name: string
  /** The organisations that it may call. */
  readonly orgs: ReadonlyArray<string>
  /** The target groups that it may touch; `null` for all of its organisations. */
  readonly targetGroups: ReadonlyArray<number> | null
  /** Requests a minute; `null` without a limit. */
  readonly perMinute: number | null
  readonly createdMillis: number
  readonly revokedMillis: number | null
}

/** What a key is made with. */
export type Grant = Pick<ApiKey, "name" | "orgs" | "perMinute" | "targetGroups">

const prefix = "mp_"

/** The hash under which a key is kept. */
export const hashOf = (secret: string): string => hash("sha256", secret)

/** A new key, and the secret that its owner gets to see once. */
export const make = (grant: Grant, nowMillis: number): { readonly key: ApiKey; readonly secret: Redacted.Redacted } => {
  const secret = prefix + randomBytes(32).toString("base64url")
  return {
    key: { id: `key_${randomBytes(6).toString("hex")}`, hash: hashOf(secret), ...grant, createdMillis: nowMillis, revokedMillis: null },
    secret: Redacted.make(secret)
  }
}

/** How many bytes of a hash a key is found by: what a table's own comparison may tell is no part of the secret. */
const found = 16

const half = (bytes: Buffer): string => bytes.toString("latin1", 0, found)

/** Keys by the first half of their hashes. */
export interface Index {
  readonly add: (key: ApiKey) => void
  /** The key that this is, revoked ones included; `null` where there is none. */
  readonly find: (secret: string) => ApiKey | null
}

const nobody = Buffer.from(hashOf("nobody"), "hex")

/** An empty index. */
export const index = (): Index => {
  const keys = new Map<string, { readonly key: ApiKey; readonly bytes: Buffer }>()
  return {
    add: (key) => {
      const bytes = Buffer.from(key.hash, "hex")
      keys.set(half(bytes), { key, bytes })
    },
    find: (secret) => {
      const presented = hash("sha256", secret, "buffer")
      const known = keys.get(half(presented))
      const isSame = timingSafeEqual(presented, known?.bytes ?? nobody)
      return isSame ? known?.key ?? null : null
    }
  }
}

/** The key in an `Authorization` header; `null` where it holds none. */
export const fromAuthorization = (header: string | undefined): string | null => {
  if (header === undefined || header.length > 200 || header.slice(0, 7).toLowerCase() !== "bearer ") return null
  const secret = header.slice(7).trim()
  return secret.startsWith(prefix) ? secret : null
}
