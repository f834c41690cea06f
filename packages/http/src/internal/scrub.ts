/**
 * Takes our own secrets out of other people's text.
 *
 * An upstream or a gateway may echo the headers of a call in its answer, and an answer's words end in errors, logs and
 * result files.
 */
const mark = "<redacted>"

/** Words of the documented answers: replacing one of these would change what an answer says. */
const vocabulary: ReadonlySet<string> = new Set([
  "errors",
  "warnings",
  "message",
  "customerId",
  "customer",
  "targetGroups",
  "targets",
  "streaks",
  "status"
])

/**
 * Short texts, plain numbers and the answers' own words are left alone: they stand in ids and envelopes. What is sent
 * (the hash, the credential, the token) is never one of these.
 */
const isReplaceable = (secret: string): boolean =>
  secret.length >= 6 && !/^[0-9]+$/.test(secret) && !vocabulary.has(secret)

const gsonEscaped = (json: string): string =>
  json.replace(/[<>&=']/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;", "'": "&#39;" }

const htmlEscaped = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char] ?? char)

/** encodeURIComponent throws on half a surrogate pair; such a text cannot be percent-encoded by anybody. */
const percentEncoded = (text: string): string => {
  try {
    return encodeURIComponent(text)
  } catch {
    return text
  }
}

/** A secret as it looks inside JSON (plain, with `\/`, and as escaped by Gson), HTML and a query. */
const spellings = (secret: string): ReadonlyArray<string> => {
  const json = JSON.stringify(secret).slice(1, -1)
  return [
    secret,
    json,
    json.replaceAll("/", "\\/"),
    gsonEscaped(json),
    htmlEscaped(secret),
    percentEncoded(secret)
  ]
}

/** Replaces every occurrence of the secrets by `<redacted>`; where there is none, it costs a few substring searches. */
export const scrubber = (secrets: ReadonlyArray<string>): (text: string) => string => {
  // The longest first, so that no spelling leaves the rest of a longer one behind.
  const needles = [...new Set(secrets.filter(isReplaceable).flatMap(spellings))].sort((a, b) => b.length - a.length)
  return (text) => {
    let clean = text
    for (const needle of needles) {
      if (clean.includes(needle)) clean = clean.replaceAll(needle, mark)
    }
    return clean
  }
}
