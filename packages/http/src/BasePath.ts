/**
 * What stands between the host and an operation's own path.
 *
 * The seed's *Resource information* and its endpoint example disagree on it, so it is a setting.
 */
import type * as Brand from "effect/Brand"
import * as Either from "effect/Either"
import { BaseUrlRefused } from "./BaseUrl.js"

/** A checked base path: empty, or beginning with `/` and not ending with one. */
export type BasePath = string & Brand.Brand<"BasePath">

/** The base path of the seed's *Resource information*: `/api_gateway/intouch-api-v3/v3.1`. */
export const documented = "/api_gateway/intouch-api-v3/v3.1" as BasePath

const refused = (message: string): Either.Either<never, BaseUrlRefused> =>
  Either.left(new BaseUrlRefused({ setting: "basePath", message }))

/** The path characters of RFC 3986 without percent signs, behind which a `..` or a `/` could hide. */
const segment = /^[A-Za-z0-9._~!$&'()*+,;=:@-]+$/

/**
 * Reads a base path as people configure it; a trailing slash is dropped, `/` alone means none.
 *
 * Fails with {@link BaseUrlRefused}, `setting: "basePath"`.
 *
 * @example
 * ```ts
 * import { BasePath } from "@milepost/http"
 *
 * const short = BasePath.fromText("/v3.1")
 * ```
 */
export const fromText = (text: string): Either.Either<BasePath, BaseUrlRefused> => {
  const quoted = JSON.stringify(text)
  if (!text.startsWith("/")) return refused(`the base path ${quoted} must begin with "/", e.g. ${documented}`)
  if (text === "/") return Either.right("" as BasePath)
  const path = text.endsWith("/") ? text.slice(0, -1) : text
  for (const part of path.slice(1).split("/")) {
    if (part === "") return refused(`the base path ${quoted} has an empty segment: write single slashes`)
    if (part === "." || part === "..") return refused(`the base path ${quoted} must not contain "." or ".." segments`)
    if (!segment.test(part)) {
      return refused(
        `the base path ${quoted} has characters that do not belong: letters, digits and ._~!$&'()*+,;=:@- are allowed`
      )
    }
  }
  return Either.right(path as BasePath)
}
