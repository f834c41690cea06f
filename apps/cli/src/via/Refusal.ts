/** What a proxy refuses, or keeps silent about, as one line that names what to do. */
import type { ExitCode } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import type { Via } from "../settings/Via.js"
import type { ProxyError } from "./ProxyClient.js"

interface Said {
  readonly tag: string
  readonly message: string
  readonly setting: string | null
}

/** A proxy names query parameters; a person has written flags. */
const inFlags = (detail: string): string =>
  detail
    .replaceAll("?group=", "--group")
    .replaceAll("?target=", "--target")
    .replace(/^org: /, "--org: ")
    .replace(/^rate: /, "--rate: ")

const said = (error: ProxyError, { keyOrigin, url }: Via): Said => {
  if (error._tag === "NotAnswered") {
    return error.wasConnected
      ? { tag: "NotAnswered", message: `${url} gives no answer (${error.reason})`, setting: "MILEPOST_VIA" }
      : { tag: "NotSent", message: `${url} cannot be reached (${error.reason}): check MILEPOST_VIA and the network`, setting: "MILEPOST_VIA" }
  }
  const { detail, type } = error
  switch (type) {
    case null:
      return { tag: "NoProxy", message: `${url}: ${detail}: check MILEPOST_VIA`, setting: "MILEPOST_VIA" }
    case "unauthenticated":
      return { tag: type, message: `${keyOrigin}: ${url} does not know this key: it is wrong or revoked; ask whoever runs the proxy for another`, setting: keyOrigin }
    case "forbidden":
      return { tag: type, message: `${url}: ${detail} Ask whoever runs the proxy for a key that opens it`, setting: keyOrigin }
    case "not-found":
      return { tag: type, message: `${url} has no such job: it was removed, or ${keyOrigin} is not the key of its organisation`, setting: keyOrigin }
    case "too-large":
      return { tag: type, message: `${url}: ${detail} Split the file, or have MILEPOST_PROXY_UPLOAD_BYTES raised`, setting: "FILE" }
    case "unsupported-media-type":
      return { tag: type, message: `${url}: ${detail} Give --format`, setting: "--format" }
    case "other-request":
      return { tag: type, message: `${url}: ${detail} --again uploads the file as a new job`, setting: "--again" }
    case "still-running":
      return { tag: type, message: `${url} still stores an earlier upload of this file: give the command again in a minute`, setting: null }
    case "rate-limited":
    case "busy":
    case "draining":
    case "storage":
    case "upstream-down":
      return { tag: type, message: `${url}: ${detail} Try again later`, setting: null }
    default:
      return { tag: type, message: `${url}: ${inFlags(detail)}`, setting: type === "invalid-request" ? "FILE" : null }
  }
}

/** Why a command ends; `tail` says what has become of the run. */
export const of = (error: ProxyError, via: Via, code: ExitCode, tail: string): Failure.Refused => {
  const { message, setting, tag } = said(error, via)
  return new Failure.Refused({ tag, message: `${message.replace(/\.$/, "")}${tail}`, setting, code })
}
