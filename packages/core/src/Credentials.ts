/**
 * What proves who we are: a till's username and password (Basic), or an OAuth client's key and secret.
 *
 * Every secret is `Redacted`: printing, logging or serialising a credential shows `<redacted>`. Attribution names the
 * till or store that a call is booked on (`docs/upstream.md`, *Authentication*).
 */
import type * as Redacted from "effect/Redacted"

/** The kinds of entity that an OAuth call can be attributed to; the upstream's default is `TILL`. */
export type AttributionEntity = "TILL" | "STORE_CODE" | "STORE_NAME" | "STORE_EXTERNAL_ID" | "STORE_EXTERNAL_ID_1" | "STORE_EXTERNAL_ID_2"

/** A till, whose credentials call the API. */
export interface Basic {
  readonly _tag: "Basic"
  readonly username: string
  /** The password, or its MD5 in hexadecimal: the upstream takes the hash as the password. */
  readonly password:
    | { readonly _tag: "Plain"; readonly value: Redacted.Redacted }
    | { readonly _tag: "Md5"; readonly value: Redacted.Redacted }
  /** Books the call on another till or store: how it is looked up, and its case-sensitive value. */
  readonly attribution?: { readonly lookupType: string; readonly lookup: string } | undefined
}

/** An OAuth client: key and secret are exchanged for a token that lives 60 minutes at most. */
export interface OAuth {
  readonly _tag: "OAuth"
  readonly key: Redacted.Redacted
  readonly secret: Redacted.Redacted
  readonly attribution?: { readonly entityType: AttributionEntity; readonly entityCode: string } | undefined
}

/** What proves who we are. */
export type Credentials = Basic | OAuth

/** A till's credentials from its password. */
export const basic = (options: {
  readonly username: string
  readonly password: Redacted.Redacted
  readonly attribution?: Basic["attribution"]
}): Credentials => ({
  _tag: "Basic",
  username: options.username,
  password: { _tag: "Plain", value: options.password },
  attribution: options.attribution
})

/** A till's credentials from the MD5 of its password, 32 hexadecimal digits. The hash is as secret as the password. */
export const basicHashed = (options: {
  readonly username: string
  readonly passwordMd5: Redacted.Redacted
  readonly attribution?: Basic["attribution"]
}): Credentials => ({
  _tag: "Basic",
  username: options.username,
  password: { _tag: "Md5", value: options.passwordMd5 },
  attribution: options.attribution
})

/** An OAuth client's credentials. */
export const oauth = (options: {
  readonly key: Redacted.Redacted
  readonly secret: Redacted.Redacted
  readonly attribution?: OAuth["attribution"]
}): Credentials => ({ _tag: "OAuth", key: options.key, secret: options.secret, attribution: options.attribution })
