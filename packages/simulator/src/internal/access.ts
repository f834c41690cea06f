/**
 * Who calls, and for which organisation (`docs/upstream.md`, *Authentication* and *Data scope*).
 */
import * as ApiError from "@milepost/core/ApiError"
import { md5 } from "@noble/hashes/legacy.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import * as Encoding from "effect/Encoding"
import type { PCGRandom } from "effect/Utils"
import type { VirtualClock } from "../VirtualClock.js"
import type { Credential, Index, Org } from "./worldIndex.js"

/** Headers by lower-case name. */
export type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** Who calls, and with which data scope, as read from the headers. */
export interface Caller {
  /** `null` where the credentials are missing, unknown or expired. */
  readonly credential: Credential | null
  /** The OAuth token that was presented. */
  readonly token: string | null
  readonly scope: string | undefined
  readonly scopeOrg: string | undefined
}

/** The organisations that a call acts on, or the status or code that refuses it. */
export type Acting =
  | { readonly orgs: ReadonlyArray<Org>; readonly status: null; readonly code: null }
  | { readonly orgs: null; readonly status: 401 | 403; readonly code: null }
  | { readonly orgs: null; readonly status: null; readonly code: number }

/** The gate of a world. */
export interface Access {
  readonly fromHeaders: (headers: Headers) => Caller
  /** Somebody known to the world by username or OAuth key, without proof. */
  readonly named: (name: string | null, scope: string | undefined, scopeOrg: string | undefined) => Caller
  readonly acting: (caller: Caller, isLookUp: boolean) => Acting
  /** A token for an OAuth client; `null` where key or secret is wrong. */
  readonly issue: (key: unknown, secret: unknown) => { readonly token: string; readonly ttlSeconds: number } | null
  readonly expire: (token: string) => void
}

const defaultTtlSeconds = 3600

const basicHeader = (username: string, password: string): string =>
  Encoding.encodeBase64(`${username}:${bytesToHex(md5(utf8ToBytes(password)))}`)

const text = (value: Headers[string]): string | undefined => typeof value === "string" ? value : value?.[0]

const refusedBy = (code: number): Acting => ({ orgs: null, status: null, code })
const unknown: Acting = { orgs: null, status: 401, code: null }
const forbidden: Acting = { orgs: null, status: 403, code: null }
const notConnected = refusedBy(ApiError.ConnectedOrgsNotSet.row.code)
const allRefused = refusedBy(ApiError.DataScopeNotSupported.row.code)

const orgId = /^\d{1,16}$/

/** The gate of a world; tokens are drawn from `random` and expire by virtual time. */
export const make = (index: Index, clock: VirtualClock, random: PCGRandom): Access => {
  const tills = new Map<string, Credential>()
  for (const credential of index.credentials.values()) {
    if (credential.type === "basic") tills.set(basicHeader(credential.username, credential.password), credential)
  }
  const tokens = new Map<string, { readonly credential: Credential; readonly expiresAt: number }>()
  const selves = new Map<number, Acting>()
  for (const org of index.orgs.values()) selves.set(org.id, { orgs: [org], status: null, code: null })

  const holderOf = (token: string): Credential | null => {
    const issued = tokens.get(token)
    if (issued === undefined) return null
    if (clock.unsafeMillis() < issued.expiresAt) return issued.credential
    tokens.delete(token)
    return null
  }

  const tillOf = (authorization: string | undefined): Credential | null => {
    if (authorization === undefined || authorization.slice(0, 6).toLowerCase() !== "basic ") return null
    return tills.get(authorization.slice(6).trim()) ?? null
  }

  const others = (own: Org, named: string | undefined, isLookUp: boolean): Acting => {
    const words = (named ?? "").split(",").map((word) => word.trim()).filter((word) => word !== "")
    if (words.length === 0 || (words.length > 1 && !isLookUp)) return notConnected
    const orgs: Array<Org> = []
    for (const word of words) {
      const child = orgId.test(word) ? Number(word) : Number.NaN
      const org = own.children.has(child) ? index.orgs.get(child) : undefined
      if (org === undefined) return notConnected
      orgs.push(org)
    }
    return { orgs, status: null, code: null }
  }

  return {
    fromHeaders: (headers) => {
      const token = text(headers["x-cap-api-oauth-token"]) ?? null
      return {
        credential: token === null ? tillOf(text(headers["authorization"])) : holderOf(token),
        token,
        scope: text(headers["data-scope"]),
        scopeOrg: text(headers["data-scope-org"]) ?? text(headers["data-scope-orgs"])
      }
    },
    named: (name, scope, scopeOrg) => ({
      credential: name === null ? null : index.credentials.get(name) ?? null,
      token: null,
      scope,
      scopeOrg
    }),
    acting: ({ credential, scope, scopeOrg, token }, isLookUp) => {
      if (credential === null || (token !== null && holderOf(token) === null)) return unknown
      if (credential.access === "none") return forbidden
      const own = selves.get(credential.orgId)
      const org = index.orgs.get(credential.orgId)
      if (own === undefined || org === undefined) return unknown
      switch (scope === undefined ? "SELF" : scope.trim().toUpperCase()) {
        case "SELF":
        case "":
          return own
        case "OTHER":
          return others(org, scopeOrg, isLookUp)
        case "ALL": {
          if (!isLookUp) return allRefused
          const children = [...org.children].flatMap((child) => index.orgs.get(child) ?? [])
          return { orgs: [org, ...children], status: null, code: null }
        }
        default:
          return notConnected
      }
    },
    issue: (key, secret) => {
      const client = typeof key === "string" ? index.credentials.get(key) : undefined
      if (client?.type !== "oauth" || client.secret !== secret) return null
      const ttlSeconds = client.ttlSeconds ?? defaultTtlSeconds
      const token = Array.from({ length: 4 }, () => random.integer(0xffffffff).toString(16).padStart(8, "0")).join("")
      tokens.set(token, { credential: client, expiresAt: clock.unsafeMillis() + ttlSeconds * 1000 })
      return { token, ttlSeconds }
    },
    expire: (token) => {
      tokens.delete(token)
    }
  }
}
