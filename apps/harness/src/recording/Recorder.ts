/**
 * Sits between a client and a base URL: hands every call on as it is, and keeps what a cassette may know of it.
 *
 * Nothing is cached, repeated or changed on the way but for hop-by-hop headers and compression, which would have to be
 * undone to read the answer. An exchange is on disk before its answer is handed on.
 */
import type { BaseUrl } from "@milepost/http/BaseUrl"
import * as Http from "node:http"
import * as Https from "node:https"
import { performance } from "node:perf_hooks"
import * as Answered from "./Answered.js"
import * as Asked from "./Asked.js"
import type { Exchange } from "./Cassette.js"
import { type Incoming, whole } from "./Listening.js"

interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly body: Buffer
}

const hopByHop = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "host", "content-length"])

const handedOn = (headers: Http.IncomingHttpHeaders): Http.OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)))

const forwarded = (target: BaseUrl, { body, headers, method, target: path }: Incoming): Promise<Answer | null> =>
  new Promise((resolve) => {
    const { request } = target.startsWith("https:") ? Https : Http
    const outgoing = request(
      target + path,
      // A connection for every call: one kept alive may break for reasons that are not the upstream's.
      { method, agent: false, headers: { ...handedOn(headers), "accept-encoding": "identity", "content-length": body.length } },
      (answer) => {
        void whole(answer).then((all) => resolve(all === null ? null : { status: answer.statusCode ?? 0, headers: answer.headers, body: all }))
      }
    )
    outgoing.once("error", () => resolve(null))
    outgoing.end(body)
  })

const texts = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : typeof value === "object" && value !== null ? Object.values(value).flatMap(texts) : []

const textsIn = (body: string): ReadonlyArray<string> => {
  try {
    return texts(JSON.parse(body))
  } catch {
    return [body]
  }
}

const decoded = (base64: string): ReadonlyArray<string> => {
  const text = Buffer.from(base64, "base64").toString()
  return [text, ...text.split(":")]
}

/** What a call proved itself with, in every spelling in which it could be echoed. */
const proofsOf = ({ headers }: Incoming): ReadonlyArray<string> => {
  const [, credentials = ""] = (headers.authorization ?? "").split(" ")
  return [headers.authorization ?? "", credentials, ...decoded(credentials), ...texts(headers["x-cap-api-oauth-token"]), ...texts(headers.cookie)]
}

/** What a call said that a cassette does not keep, and an answer could repeat. */
const saidBy = ({ body }: Incoming, { body: kept }: Asked.Asked): ReadonlyArray<string> => {
  const harmless = new Set(texts(kept))
  return textsIn(body.toString()).filter((text) => !harmless.has(text))
}

/** How many secrets are remembered: tokens are few, and renewed by the hour. */
const mostRemembered = 1000

/** Secrets stay secret for the whole recording: an answer may repeat those of an earlier call. */
const memory = () => {
  const remembered = new Set<string>()
  return {
    add: (secrets: ReadonlyArray<string>): void => {
      for (const secret of secrets) {
        for (const spelling of [secret, encodeURIComponent(secret.replace(/\p{Surrogate}/gu, "?"))]) {
          if (spelling.length < 3) continue
          remembered.delete(spelling)
          remembered.add(spelling)
        }
      }
      for (const oldest of remembered) {
        if (remembered.size <= mostRemembered) return
        remembered.delete(oldest)
      }
    },
    all: (): ReadonlyArray<string> => [...remembered]
  }
}

const header = (value: string | ReadonlyArray<string> | undefined): string | null => (typeof value === "string" ? value : null)

/** Answers calls from the target; `keep` writes an exchange down before its answer leaves. */
export const make = (target: BaseUrl, keep: (exchange: Exchange) => Promise<void>) => {
  let arrived = 0
  const secrets = memory()
  return async (incoming: Incoming, res: Http.ServerResponse): Promise<void> => {
    const sequence = ++arrived
    const started = performance.now()
    const told = Asked.of(incoming.method, incoming.target, incoming.headers, incoming.body.toString())
    secrets.add(proofsOf(incoming))
    if (told.operation === "token") secrets.add(textsIn(incoming.body.toString()))
    const asked = { ...told, body: Answered.without(secrets.all(), told.body) }
    const answer = await forwarded(target, incoming)
    if (told.operation === "token" && answer !== null) secrets.add(textsIn(answer.body.toString()))
    const answered = answer === null ? null : Answered.of(asked.operation, {
      status: answer.status,
      contentType: header(answer.headers["content-type"]),
      retryAfter: header(answer.headers["retry-after"]),
      body: answer.body.toString()
    }, [...secrets.all(), ...saidBy(incoming, told)])
    await keep({ version: 1, sequence, asked, answer: answered, millis: Math.round(performance.now() - started) })
    if (answer === null) return void res.destroy()
    res.writeHead(answer.status, { ...handedOn(answer.headers), "content-length": answer.body.length })
    res.end(answer.body)
  }
}
