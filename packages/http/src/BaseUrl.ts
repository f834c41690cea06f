/**
 * Where calls go: the scheme, host and port of a cluster, or of anything that stands in for one.
 *
 * Credentials travel with every call, so the rule is an allow-list: https to any host, plain http to this machine alone.
 */
import type * as Brand from "effect/Brand"
import * as Data from "effect/Data"
import * as Either from "effect/Either"

/** An origin that calls may go to, e.g. `https://eu.api.capillarytech.com`: no path, no trailing slash. */
export type BaseUrl = string & Brand.Brand<"BaseUrl">

/** The clusters that the upstream is known to run (`docs/upstream.md`, *Operations*). */
export const clusters = ["eu", "us", "apac", "apac2"] as const

/** A host or a base path that calls must not go to; the message says what to write instead. */
export class BaseUrlRefused extends Data.TaggedError("BaseUrlRefused")<{
  /** Which of the two settings is wrong. */
  readonly setting: "host" | "basePath"
  readonly message: string
}> {}

const expected = `a cluster (${clusters.join(", ")}) or a URL such as https://eu.api.capillarytech.com`

const refused = (message: string): Either.Either<never, BaseUrlRefused> =>
  Either.left(new BaseUrlRefused({ setting: "host", message }))

const isCluster = (word: string): boolean => (clusters as ReadonlyArray<string>).includes(word)

const loopback = /^(?:localhost|\[::1\]|127(?:\.\d{1,3}){3})$/

const parsed = (text: string): URL | null => {
  // The URL parser drops tabs and line breaks and turns "\" into "/": what it would mend is refused here.
  if (!/^https?:\/\/[^\s\\\p{Cc}]+$/iu.test(text)) return null
  try {
    return new URL(text)
  } catch {
    return null
  }
}

/**
 * Reads a base URL as people configure it: a cluster's name, or a full URL without path, query, fragment and user.
 *
 * http is accepted for a loopback host only (127.0.0.0/8, ::1, localhost), unless `insecure` is set. Fails with
 * {@link BaseUrlRefused}, whose message never repeats a user or password out of the URL.
 *
 * @example
 * ```ts
 * import { BaseUrl } from "@milepost/http"
 *
 * const live = BaseUrl.fromText("eu")
 * const sandbox = BaseUrl.fromText("http://127.0.0.1:8080")
 * ```
 */
export const fromText = (
  text: string,
  options?: { readonly insecure?: boolean | undefined }
): Either.Either<BaseUrl, BaseUrlRefused> => {
  const trimmed = text.trim()
  const word = trimmed.toLowerCase()
  if (isCluster(word)) return Either.right(`https://${word}.api.capillarytech.com` as BaseUrl)
  // First of all, because every later message repeats the text.
  if (trimmed.includes("@")) return refused("a base URL carries no user or password: set the credentials on their own")
  const quoted = JSON.stringify(trimmed)
  const url = parsed(trimmed)
  if (url === null) return refused(`${quoted} is not ${expected}`)
  if (/[?#]/.test(trimmed)) return refused(`${quoted} has a query or a fragment; a base URL has neither`)
  if (url.pathname !== "/") return refused(`${quoted} has a path; the path belongs to the setting of the base path`)
  if (url.protocol === "http:" && options?.insecure !== true && !loopback.test(url.hostname)) {
    return refused(`${quoted} would send the credentials in clear text: use https, or http to this machine only`)
  }
  return Either.right(url.origin as BaseUrl)
}

/** Host and port as messages name them, the scheme's default port included, e.g. `eu.api.capillarytech.com:443`. */
export const hostAndPort = (baseUrl: BaseUrl): string => {
  const url = new URL(baseUrl)
  return `${url.hostname}:${url.port === "" ? (url.protocol === "http:" ? 80 : 443) : url.port}`
}
