/**
 * The OAuth token: issued for key and secret, cached, renewed before it expires and once after a 401.
 *
 * One request to the token service serves every call that waits for it. Times come from Effect's Clock
 * (`docs/upstream.md`, *Authentication*).
 */
import type { AttributionEntity, OAuth } from "@milepost/core/Credentials"
import { NotSent } from "@milepost/core/TransportError"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { isHeaderText } from "./internal/headerText.js"

/** Where a token is issued, from the host on. */
export const path = "/v3/oauth/token/generate"

/** The header that carries a token; there is no `Authorization` beside it. */
export const header = "X-CAP-API-OAUTH-TOKEN"

/** What the token service gave: a token and how long it lives. */
export interface Issued {
  readonly value: Redacted.Redacted
  /** One hour at most, whatever the service says. */
  readonly lifetimeMillis: number
}

/** A token in use; two tokens are the same only if they are the same object. */
export interface Token {
  readonly value: Redacted.Redacted
  readonly expiresAtMillis: number
}

/** The one token of a connection. */
export interface Service {
  /** The token, if it needs no renewal at this time; synchronous, for the hot path. */
  readonly fresh: (nowMillis: number) => Token | null
  /** A token that can be used now: a valid one at once, even while its renewal runs; else the one being issued. */
  readonly current: Effect.Effect<Token, NotSent>
  /** After a 401: a token other than the refused one, issued at most once for all calls that were refused with it. */
  readonly renewed: (refused: Token) => Effect.Effect<Token, NotSent>
}

/** A number, or a numeric string; NaN for all else. */
const secondsOf = (value: unknown): number =>
  typeof value === "number" ? value : typeof value === "string" ? Number(value) : Number.NaN

const unavailable = (problem: string): NotSent =>
  new NotSent({ reason: "TokenUnavailable", message: `The token service ${problem}. The call was not sent.` })

const longestLifetimeSeconds = 3600

/** A token becomes a header: one run of visible ASCII, of a length that servers accept. */
const isToken = (value: unknown): value is string => typeof value === "string" && /^[\x21-\x7e]{1,8192}$/.test(value)

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined

/** 408 and 429 speak of the moment, not of the credentials. */
const isRefusal = (status: number, errors: unknown): boolean =>
  [400, 401, 403].includes(status) ||
  (Array.isArray(errors) && errors.length > 0 && status < 500 && status !== 408 && status !== 429)

/**
 * Reads the token service's answer, `{data: {accessToken, ttlSeconds}, errors}`.
 *
 * Fails with `NotSent`: `CredentialsRefused` where key and secret are refused, `TokenUnavailable` for all else. Messages
 * hold nothing of the body, which may repeat the secret.
 */
export const fromAnswer = (answer: { readonly status: number; readonly body: string }): Either.Either<Issued, NotSent> => {
  const { body, status } = answer
  const json = parseJson(body)
  if (isRefusal(status, field(json, "errors"))) {
    return Either.left(
      new NotSent({
        reason: "CredentialsRefused",
        message: `The token service refused the OAuth key and secret (status ${status}): check both, and that they ` +
          "belong to this cluster. The call was not sent."
      })
    )
  }
  if (status < 200 || status >= 300) return Either.left(unavailable(`answered ${status}`))
  const data = field(json, "data")
  const value = field(data, "accessToken")
  const seconds = secondsOf(field(data, "ttlSeconds"))
  if (!isToken(value) || !(seconds > 0)) {
    return Either.left(unavailable(`answered ${status} without a usable token and its lifetime`))
  }
  return Either.right({
    value: Redacted.make(value),
    lifetimeMillis: Math.min(seconds, longestLifetimeSeconds) * 1000
  })
}

/** The body that asks for a token: the one place where key and secret leave. */
export const requestBody = (credentials: OAuth): string =>
  JSON.stringify({ key: Redacted.value(credentials.key), secret: Redacted.value(credentials.secret) })

/** The headers that book a call on a till or store, if any (`docs/upstream.md`, *Authentication*). */
export const attributionHeaders = (credentials: OAuth): Readonly<Record<string, string>> =>
  credentials.attribution === undefined ? {} : {
    "X-CAP-API-ATTRIBUTION-ENTITY-TYPE": credentials.attribution.entityType,
    "X-CAP-API-ATTRIBUTION-ENTITY-CODE": credentials.attribution.entityCode
  }

const entities: ReadonlySet<AttributionEntity> = new Set<AttributionEntity>([
  "TILL",
  "STORE_CODE",
  "STORE_NAME",
  "STORE_EXTERNAL_ID",
  "STORE_EXTERNAL_ID_1",
  "STORE_EXTERNAL_ID_2"
])

/** Why these credentials cannot be sent, without repeating a secret; `null` where they can. */
export const problem = (credentials: OAuth): string | null => {
  if (Redacted.value(credentials.key) === "") return "the OAuth key is empty"
  if (Redacted.value(credentials.secret) === "") return "the OAuth secret is empty"
  const { attribution } = credentials
  if (attribution === undefined) return null
  if (!entities.has(attribution.entityType)) {
    return `the attribution's entity type must be one of ${[...entities].join(", ")}`
  }
  return isHeaderText(attribution.entityCode)
    ? null
    : "the attribution's entity code must be one line of Latin-1 text without blanks around it"
}

/** A token is renewed when a tenth of its life is left, and never more than a minute early. */
const leadMillis = (lifetimeMillis: number): number => Math.min(lifetimeMillis / 10, 60_000)

/** After a failed early renewal the token still serves; a quarter of what is left passes before the next attempt. */
const patienceMillis = (leftMillis: number): number => Math.max(1000, leftMillis / 4)

/**
 * Holds the token that `issue` gives.
 *
 * `issue` runs in the scope of the holder, not of the call that happened to need it first: interrupting that call
 * neither stops nor wedges the renewal for the others. A failure reaches every waiting call and is not kept.
 */
export const make = (issue: Effect.Effect<Issued, NotSent>): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    let held: Token | null = null
    let renewAtMillis = 0
    let pending: Deferred.Deferred<Token, NotSent> | null = null

    const keep = (issued: Issued, askedAtMillis: number): Token => {
      // Counted from before the request left: the token's life began at the service, some time after.
      const token = { value: issued.value, expiresAtMillis: askedAtMillis + issued.lifetimeMillis }
      renewAtMillis = token.expiresAtMillis - leadMillis(issued.lifetimeMillis)
      held = token
      return token
    }

    const settle = (waiting: Deferred.Deferred<Token, NotSent>, exit: Exit.Exit<Token, NotSent>) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        pending = null
        if (Exit.isFailure(exit) && held !== null) {
          renewAtMillis = now + patienceMillis(held.expiresAtMillis - now)
        }
        // The scope's end interrupts the renewal; the calls that wait for it are not interrupted, they are not sent.
        const closed = new NotSent({
          reason: "Closed",
          message: "The client was closed while a token was being issued. The call was not sent."
        })
        Deferred.unsafeDone(waiting, Exit.isInterrupted(exit) ? Exit.fail(closed) : exit)
      })

    const renew = Effect.suspend(() => {
      if (pending !== null) return Effect.succeed(pending)
      const waiting = Deferred.unsafeMake<Token, NotSent>(FiberId.none)
      pending = waiting
      const renewal = Effect.flatMap(
        Clock.currentTimeMillis,
        (now) => Effect.map(issue, (issued) => keep(issued, now))
      )
      const settled = Effect.onExit(Effect.interruptible(renewal), (exit) => settle(waiting, exit))
      return Effect.as(Effect.forkIn(settled, scope), waiting)
    })

    // Between noting that a renewal is pending and starting it, no interruption may come: nobody would end the wait.
    const awaitRenewal = Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(renew, (waiting) => restore(Deferred.await(waiting)))
    )

    const current = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (held === null || now >= held.expiresAtMillis) return awaitRenewal
      return now < renewAtMillis ? Effect.succeed(held) : Effect.as(Effect.uninterruptible(renew), held)
    })

    return {
      fresh: (nowMillis) => held !== null && nowMillis < renewAtMillis ? held : null,
      current,
      renewed: (refused) =>
        Effect.suspend(() => {
          if (held === refused) held = null
          return held === null ? awaitRenewal : Effect.succeed(held)
        })
    }
  })
