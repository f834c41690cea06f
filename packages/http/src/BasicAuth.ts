/**
 * Basic authentication as the upstream has it: the MD5 of the till's password takes the password's place
 * (`docs/upstream.md`, *Authentication*).
 */
import type { Basic } from "@milepost/core/Credentials"
import { md5 } from "@noble/hashes/legacy.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import * as Encoding from "effect/Encoding"
import * as Redacted from "effect/Redacted"
import { isHeaderText } from "./internal/headerText.js"

/** The MD5 of the password, 32 lower-case hexadecimal digits; a plain password is hashed as UTF-8. */
export const passwordMd5 = (credentials: Basic): Redacted.Redacted => {
  const value = Redacted.value(credentials.password.value)
  return Redacted.make(
    credentials.password._tag === "Md5" ? value.toLowerCase() : bytesToHex(md5(utf8ToBytes(value)))
  )
}

/**
 * The value of the `Authorization` header: `Basic base64(username ":" md5hex(password))`.
 *
 * @example
 * ```ts
 * import { Credentials } from "@milepost/core"
 * import { BasicAuth } from "@milepost/http"
 * import { Redacted } from "effect"
 *
 * const till = Credentials.basic({ username: "store.server", password: Redacted.make("server123") })
 * const header = till._tag === "Basic" ? BasicAuth.authorization(till) : null
 * ```
 */
export const authorization = (credentials: Basic): Redacted.Redacted =>
  Redacted.make(
    `Basic ${Encoding.encodeBase64(`${credentials.username}:${Redacted.value(passwordMd5(credentials))}`)}`
  )

/** The headers that book a call on another till or store, if any (`docs/upstream.md`, *Authentication*). */
export const attributionHeaders = (credentials: Basic): Readonly<Record<string, string>> =>
  credentials.attribution === undefined ? {} : {
    "X-CAP-API-ATTRIBUTION-LOOKUP-TYPE": credentials.attribution.lookupType,
    "X-CAP-API-ATTRIBUTION-LOOKUP": credentials.attribution.lookup
  }

/** Why these credentials cannot be sent, without repeating a secret; `null` where they can. */
export const problem = (credentials: Basic): string | null => {
  const { attribution, password, username } = credentials
  const secret = Redacted.value(password.value)
  if (username === "") return "the username is empty"
  if (/[:\p{Cc}]/u.test(username)) return "the username contains a colon or a control character"
  if (secret === "") return "the password is empty"
  if (password._tag === "Md5" && !/^[0-9a-f]{32}$/i.test(secret)) {
    return "the password's MD5 is not 32 hexadecimal digits; a plain password goes into the other setting"
  }
  return attribution === undefined || (isHeaderText(attribution.lookupType) && isHeaderText(attribution.lookup))
    ? null
    : "the attribution's lookup type and value must be one line of Latin-1 text without blanks around it"
}
