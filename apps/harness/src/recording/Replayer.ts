/**
 * Answers calls from a cassette: the same call gets its recorded answers in their order, and no other. Where there is none
 * (any more), it says so with a status that no client takes for the upstream's.
 */
import type * as Http from "node:http"
import * as Asked from "./Asked.js"
import type { Exchange } from "./Cassette.js"
import type { Incoming } from "./Listening.js"

/** No answer of the upstream has it, and clients do not repeat it. */
const notRecorded = 501

const stands = (res: Http.ServerResponse, status: number, headers: Http.OutgoingHttpHeaders, body: string): void => {
  res.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) })
  res.end(body)
}

const bodyOf = ({ body, omittedLength }: NonNullable<Exchange["answer"]>): string =>
  omittedLength === null ? body === null ? "" : JSON.stringify(body) : "not recorded".padEnd(omittedLength).slice(0, omittedLength)

/** Answers calls from the exchanges. */
export const make = (exchanges: ReadonlyArray<Exchange>) => {
  const recorded = new Map<string, Array<Exchange["answer"]>>()
  for (const { answer, asked } of exchanges) {
    const key = Asked.keyOf(asked)
    const answers = recorded.get(key)
    if (answers === undefined) recorded.set(key, [answer])
    else answers.push(answer)
  }
  const given = new Map<string, number>()
  return (incoming: Incoming, res: Http.ServerResponse): Promise<void> => {
    const asked = Asked.of(incoming.method, incoming.target, incoming.headers, incoming.body.toString())
    const key = Asked.keyOf(asked)
    const answers = recorded.get(key) ?? []
    const ordinal = given.get(key) ?? 0
    const answer = answers[ordinal]
    if (answer === undefined) {
      const why = answers.length === 0 ? "it was never recorded" : `it was recorded ${answers.length} times, and all of those have been given`
      const message = `No recorded answer for ${Asked.wordsOf(asked)}: ${why}.`
      stands(res, notRecorded, { "content-type": "application/json" }, JSON.stringify({ status: notRecorded, message }))
      return Promise.resolve()
    }
    given.set(key, ordinal + 1)
    if (answer === null) res.destroy()
    else {
      stands(res, answer.status, {
        ...(answer.contentType === null ? {} : { "content-type": answer.contentType }),
        ...(answer.retryAfter === null ? {} : { "retry-after": answer.retryAfter })
      }, bodyOf(answer))
    }
    return Promise.resolve()
  }
}
