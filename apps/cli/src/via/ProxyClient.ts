/**
 * The native routes of a proxy, asked over node:http: one request each, repeated by nobody here.
 *
 * node:http and not `fetch`, because an upload that is refused in its middle must hear why. The key is in the header of the
 * request and nowhere else: errors copy status, type and a bounded text, in which the key would be blacked out.
 */
import * as NodeStream from "@effect/platform-node-shared/NodeStream"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import type { Via } from "../settings/Via.js"
import * as Events from "./Events.js"
import * as Job from "./Job.js"

/** There was no answer, or one that broke off. */
export class NotAnswered extends Data.TaggedError("NotAnswered")<{
  /** Why, e.g. `ECONNREFUSED`. */
  readonly reason: string
  /** Whether all of the request may have arrived, so that it may have been done. */
  readonly mayBeDone: boolean
  /** Whether there was a connection at all. */
  readonly wasConnected: boolean
}> {}

/** The proxy said no. */
export class ProxyRefused extends Data.TaggedError("ProxyRefused")<{
  readonly status: number
  /** The name of the problem, e.g. `forbidden`; `null` where the answer is none of a proxy's. */
  readonly type: string | null
  readonly detail: string
  readonly retryAfterMillis: number | null
}> {}

/** Nobody takes any more of an upload. */
class Unwanted extends Data.TaggedError("Unwanted")<{}> {}

/** Why a request has not got what it asked for. */
export type ProxyError = NotAnswered | ProxyRefused

/** A file on its way to a proxy. */
export interface Upload<E, R> {
  /** The query of `POST /v1/jobs`, without the question mark. */
  readonly query: string
  readonly format: "csv" | "ndjson"
  /** In bytes, where it is known beforehand. */
  readonly size: number | null
  /** `null` where it does no harm to be asked twice. */
  readonly idempotencyKey: string | null
  readonly body: Stream.Stream<Uint8Array, E, R>
  /** Called when all of the body is on its way: from here on it may have been done. */
  readonly whole: () => void
}

/** What was answered to an upload. */
export interface Stored {
  readonly job: Job.Job
  /** Whether it is the answer to an earlier upload under the same `Idempotency-Key`. */
  readonly isReplayed: boolean
}

/** A proxy. */
export interface ProxyClient {
  readonly create: <E, R>(upload: Upload<E, R>) => Effect.Effect<Stored, E | ProxyError, R>
  readonly plan: <E, R>(upload: Upload<E, R>) => Effect.Effect<Job.Plan, E | ProxyError, R>
  readonly job: (id: string) => Effect.Effect<Job.Job, ProxyError>
  readonly wish: (id: string, verb: "pause" | "resume") => Effect.Effect<Job.Job, ProxyError>
  /** The standing of a job whenever it has changed, each with what `last` says of it the next time; ends with the connection. */
  readonly events: (id: string, last: string | null) => Stream.Stream<{ readonly id: string; readonly job: Job.Job }, ProxyError>
  /** Results or failed rows: a path below the job, and the type that is wanted. */
  readonly rows: (id: string, path: string, accept: string) => Stream.Stream<Uint8Array, ProxyError>
}

interface Asked {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** A request that is silent for so long is given up. */
  readonly silenceMillis: number
}

/** An answer whose head is there. */
interface Begun {
  readonly res: IncomingMessage
  readonly status: number
  readonly isGood: boolean
  /** Fails when the connection ends before the answer does. */
  readonly broken: Effect.Effect<never, NotAnswered>
  /** All of it, where it is one document. */
  readonly text: Effect.Effect<string, NotAnswered>
}

const silences = {
  answer: 30_000,
  /** Calls in flight get their answer before a job is paused. */
  wish: 120_000,
  /** What has been uploaded is stored, or compared with what was uploaded before. */
  upload: 300_000,
  /** A proxy says something every fifteen seconds, if only that it is there. */
  events: 40_000
}

const contentTypes = { csv: "text/csv", ndjson: "application/x-ndjson" }

const bodyLimit = 4 * 1_048_576

const reasonOf = (error: unknown): string => {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  return typeof code === "string" ? code : typeof message === "string" ? message.slice(0, 100) : "no reason given"
}

/** One line without control characters, not longer than people read. */
const bounded = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ").slice(0, 500)

const secondsOf = (header: string | undefined): number | null => header !== undefined && /^\d{1,6}$/.test(header.trim()) ? Number(header) : null

/** A proxy at an address. */
export const make = ({ key, url }: Via): ProxyClient => {
  const begin = (asked: Asked): Effect.Effect<ClientRequest, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const send = url.startsWith("https:") ? requestHttps : requestHttp
        const req = send(`${url}${asked.path}`, {
          method: asked.method,
          // A connection each: one that was kept open may have been closed by the other side a moment ago.
          agent: false,
          headers: { ...asked.headers, authorization: `Bearer ${Redacted.value(key)}`, "user-agent": "milepost" }
        })
        req.setTimeout(asked.silenceMillis, () => req.destroy(new Error("it says nothing")))
        // Somebody must listen, also when nobody waits for the answer any more.
        req.on("error", () => undefined)
        return req
      }),
      (req) => Effect.sync(() => req.destroy())
    )

  /**
   * The answer as soon as it begins. Whether it is whole is listened for from that moment on: a connection that is closed behind an early
   * answer takes with it what nobody has read, and says so once.
   */
  const responseTo = (req: ClientRequest, mayBeDone: () => boolean): Effect.Effect<Begun, NotAnswered> =>
    Effect.async((resume) => {
      let wasConnected = false
      req.once("socket", (socket) => {
        socket.once(url.startsWith("https:") ? "secureConnect" : "connect", () => {
          wasConnected = true
        })
      })
      const lost = (reason: string) => new NotAnswered({ reason, mayBeDone: wasConnected && mayBeDone(), wasConnected })
      req.once("response", (res) => {
        let broke = "the answer broke off"
        res.once("error", (error) => {
          broke = reasonOf(error)
        })
        const broken = new Promise<NotAnswered>((resolve) => {
          res.once("close", () => {
            if (!res.readableEnded) resolve(lost(broke))
          })
        })
        const status = res.statusCode ?? 0
        const isGood = status >= 200 && status < 300
        const isStreamed = isGood && req.getHeader("accept") !== "application/json"
        resume(Effect.succeed({ res, status, isGood, broken: Effect.flatMap(Effect.promise(() => broken), Effect.fail), text: isStreamed ? Effect.succeed("") : textOf(res, broken) }))
      })
      req.once("error", (error) => resume(lost(reasonOf(error))))
    })

  /** All of an answer; read at once, whoever waits for it. */
  const textOf = (res: IncomingMessage, broken: Promise<NotAnswered>): Effect.Effect<string, NotAnswered> => {
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    res.on("data", (chunk: Uint8Array) => {
      bytes += chunk.length
      if (bytes > bodyLimit) res.destroy(new Error("the answer has no end"))
      else chunks.push(chunk)
    })
    const whole = new Promise<string>((resolve) => res.once("end", () => resolve(Buffer.concat(chunks).toString())))
    return Effect.raceFirst(Effect.promise(() => whole), Effect.flatMap(Effect.promise(() => broken), Effect.fail))
  }

  const bytesOf = ({ broken, res }: Begun): Stream.Stream<Uint8Array, NotAnswered> =>
    Stream.concat(
      NodeStream.fromReadable<NotAnswered, Uint8Array>(() => res, (error) => new NotAnswered({ reason: reasonOf(error), mayBeDone: false, wasConnected: true })).pipe(
        Stream.interruptWhen(broken)
      ),
      Stream.suspend(() => res.complete ? Stream.empty : Stream.fail(new NotAnswered({ reason: "the answer broke off", mayBeDone: false, wasConnected: true })))
    )

  /** Whoever answers may repeat what it was told. */
  const scrubbed = (text: string): string => bounded(text.replaceAll(Redacted.value(key), "…"))

  const noProxy = (status: number): ProxyRefused =>
    new ProxyRefused({ status, type: null, detail: `the answer (${status}) is none of a milepost-proxy`, retryAfterMillis: null })

  const refusedBy = ({ res, status }: Begun, text: string): ProxyRefused => {
    const seconds = secondsOf(res.headers["retry-after"])
    const retryAfterMillis = seconds === null ? null : seconds * 1_000
    return Either.match(Schema.decodeEither(Job.Problem)(text), {
      onLeft: () => new ProxyRefused({ ...noProxy(status), retryAfterMillis }),
      onRight: ({ detail, type }) =>
        new ProxyRefused({ status, type: scrubbed(type).slice("urn:milepost:problem:".length), detail: scrubbed(detail), retryAfterMillis })
    })
  }

  /** The answer, if it is a good one. */
  const good = (begun: Begun): Effect.Effect<Begun, ProxyError> =>
    begun.isGood ? Effect.succeed(begun) : Effect.flatMap(begun.text, (text) => refusedBy(begun, text))

  const decoded = <A, I>(schema: Schema.Schema<A, I>, { status, text }: Begun): Effect.Effect<A, ProxyError> =>
    Effect.flatMap(text, (body) => Effect.mapError(Schema.decode(Schema.parseJson(schema))(body), () => noProxy(status)))

  const ask = (asked: Asked): Effect.Effect<Begun, ProxyError, Scope.Scope> =>
    Effect.gen(function*() {
      const req = yield* begin(asked)
      req.end()
      return yield* good(yield* responseTo(req, () => true))
    })

  const upload = <E, R>({ body, format, idempotencyKey, query, size, whole }: Upload<E, R>) =>
    Effect.gen(function*() {
      const req = yield* begin({
        method: "POST",
        path: `/v1/jobs?${query}`,
        headers: {
          accept: "application/json",
          "content-type": contentTypes[format],
          ...(size === null ? {} : { "content-length": String(size) }),
          ...(idempotencyKey === null ? {} : { "idempotency-key": idempotencyKey })
        },
        silenceMillis: silences.upload
      })
      let isWhole = false
      let isAnswered = false
      req.once("response", () => {
        isAnswered = true
      })
      // As fast as it is taken. Nobody waits for a chunk to be taken that nobody takes any more: the stream of a file may be in the middle of
      // a read when it is interrupted, and would go on with its chunk.
      const write = (chunk: Uint8Array): Effect.Effect<void, Unwanted> =>
        Effect.async((resume) => {
          const stop = (): void => resume(new Unwanted())
          if (isAnswered || req.destroyed) return stop()
          req.once("response", stop)
          req.write(chunk, (error) => {
            req.off("response", stop)
            resume(error === null || error === undefined ? Effect.void : new Unwanted())
          })
        })
      // Why it is unwanted, the answer says, or the request.
      const send = Effect.catchAll(Stream.runForEach(body, write), (error) => error instanceof Unwanted ? Effect.never : Effect.fail(error))
      const end = Effect.sync(() => {
        isWhole = true
        whole()
        req.end()
      })
      // An answer that comes early is a no: what is left of the body is of no use.
      const begun = yield* Effect.raceFirst(
        responseTo(req, () => isWhole),
        Effect.zipRight(Effect.zipRight(send, end), Effect.never)
      )
      return yield* good(begun)
    })

  const jobAt = (id: string): string => `/v1/jobs/${encodeURIComponent(id)}`

  const simple = (path: string) => ({ method: "GET" as const, path, headers: { accept: "application/json" }, silenceMillis: silences.answer })

  return {
    create: (asked) =>
      Effect.scoped(Effect.gen(function*() {
        const begun = yield* upload(asked)
        return { job: yield* decoded(Job.Job, begun), isReplayed: begun.res.headers["idempotent-replayed"] === "true" }
      })),
    plan: (asked) => Effect.scoped(Effect.flatMap(upload(asked), (begun) => decoded(Job.Plan, begun))),
    job: (id) => Effect.scoped(Effect.flatMap(ask(simple(jobAt(id))), (begun) => decoded(Job.Job, begun))),
    wish: (id, verb) =>
      Effect.scoped(Effect.flatMap(
        ask({ method: "POST", path: `${jobAt(id)}/${verb}`, headers: { accept: "application/json", "content-length": "0" }, silenceMillis: silences.wish }),
        (begun) => decoded(Job.Job, begun)
      )),
    events: (id, last) =>
      Stream.unwrapScoped(Effect.gen(function*() {
        const begun = yield* ask({
          method: "GET",
          path: `${jobAt(id)}/events`,
          headers: { accept: "text/event-stream", ...(last === null ? {} : { "last-event-id": last }) },
          silenceMillis: silences.events
        })
        const parse = Events.parser()
        const decoder = new TextDecoder()
        return bytesOf(begun).pipe(
          Stream.mapConcat((chunk) => parse(decoder.decode(chunk, { stream: true }))),
          Stream.mapEffect((event) =>
            Effect.mapBoth(Schema.decode(Schema.parseJson(Job.Job))(event.data), {
              onSuccess: (job) => ({ id: event.id, job }),
              onFailure: () => noProxy(begun.status)
            }))
        )
      })),
    rows: (id, path, accept) =>
      Stream.unwrapScoped(Effect.map(
        ask({ method: "GET", path: `${jobAt(id)}${path}`, headers: { accept }, silenceMillis: silences.answer }),
        bytesOf
      ))
  }
}

/** Whether another try may get another answer. */
export const isPassing = (error: ProxyError): boolean =>
  error._tag === "NotAnswered" || error.type === "still-running" || error.status === 429 || error.status === 502 || error.status === 503 || error.status === 504

/** What keeps a request from its answer, in a few words. */
export const reason = (error: ProxyError): string => {
  if (error._tag === "NotAnswered") return error.reason
  return error.status === 429 || error.type === "still-running" ? error.detail : `${error.status}${error.type === null ? "" : ` ${error.type}`}`
}
