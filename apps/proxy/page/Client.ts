/**
 * The native routes as this page calls them, with a key that is held here and nowhere else.
 *
 * The key is no property of anything: it is gone when the client is, at a reload at the latest.
 */
import type { JobDocument, Orgs, Plan as PlanDocument } from "../src/api/Payload.js"

/** A job as it stands. */
export type Job = JobDocument

/** What an upload asks for. */
export type Plan = PlanDocument

/** An organisation of the key. */
export type Org = Orgs["orgs"][number]

/** Why something did not go. */
export interface Trouble {
  readonly _tag: "Trouble"
  /** The answer's status; `null` where there was none. */
  readonly status: number | null
  readonly title: string
  readonly detail: string
  readonly retryAfterSeconds: number | null
}

/** A value, or why there is none. */
export type Answer<A> = A | Trouble

/** Whether there is no value. */
export const isTrouble = (answer: unknown): answer is Trouble =>
  typeof answer === "object" && answer !== null && "_tag" in answer && answer._tag === "Trouble"

const trouble = (status: number | null, title: string, detail: string, retryAfterSeconds: number | null = null): Trouble =>
  ({ _tag: "Trouble", status, title, detail, retryAfterSeconds })

/** Nobody answered. */
export const unreachable = trouble(null, "The service cannot be reached", "It may be restarting, or the network may be down.")

/** Whatever was begun has been given up on purpose. */
export const aborted = trouble(null, "Stopped", "It was given up.")

/** What a problem document says; an answer that is none is told by its status. */
export const troubleOf = (status: number, text: string): Trouble => {
  try {
    const problem = JSON.parse(text) as { readonly title?: unknown; readonly detail?: unknown; readonly retryAfterSeconds?: unknown }
    if (typeof problem.title === "string" && typeof problem.detail === "string") {
      return trouble(status, problem.title, problem.detail, typeof problem.retryAfterSeconds === "number" ? problem.retryAfterSeconds : null)
    }
  } catch {
    // Somebody in between answered, and not with a problem.
  }
  return trouble(status, `Answer ${status}`, "The service, or something before it, gave no usable answer.")
}

/** The routes that this page uses. */
export interface Client {
  readonly jobs: () => Promise<Answer<ReadonlyArray<Job>>>
  readonly orgs: () => Promise<Answer<ReadonlyArray<Org>>>
  readonly wish: (id: string, verb: "cancel" | "pause" | "resume") => Promise<Answer<Job>>
  /** An answer that is read while it comes. */
  readonly open: (path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Answer<Response>>
  /** Sends a file; `progress` is told the bytes that have left. */
  readonly upload: <A>(
    query: string,
    file: Blob,
    options: {
      readonly type: string
      readonly idempotencyKey: string | null
      readonly signal: AbortSignal
      readonly progress: (sent: number) => void
    }
  ) => Promise<Answer<A>>
  /** Ends everything that is on its way. */
  readonly close: () => void
}

/** A client with this key. */
export const make = (key: string): Client => {
  const closing = new AbortController()
  const authorization = `Bearer ${key}`

  const send = async (path: string, init: RequestInit): Promise<Answer<Response>> => {
    const signal = init.signal === undefined || init.signal === null ? closing.signal : AbortSignal.any([init.signal, closing.signal])
    try {
      const headers = { ...(init.headers as Record<string, string> | undefined), authorization }
      const response = await fetch(path, { ...init, headers, signal, cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" })
      return response.ok ? response : troubleOf(response.status, await response.text())
    } catch {
      return signal.aborted ? aborted : unreachable
    }
  }

  const json = async <A>(path: string, init: RequestInit = {}): Promise<Answer<A>> => {
    const response = await send(path, init)
    if (isTrouble(response)) return response
    try {
      return await response.json() as A
    } catch {
      return closing.signal.aborted ? aborted : unreachable
    }
  }

  return {
    jobs: async () => {
      const answer = await json<{ readonly jobs: ReadonlyArray<Job> }>("/v1/jobs")
      return isTrouble(answer) ? answer : answer.jobs
    },
    orgs: async () => {
      const answer = await json<{ readonly orgs: ReadonlyArray<Org> }>("/v1/orgs")
      return isTrouble(answer) ? answer : answer.orgs
    },
    wish: (id, verb) => json(`/v1/jobs/${encodeURIComponent(id)}/${verb}`, { method: "POST" }),
    open: (path, headers, signal) => send(path, { headers, signal }),
    // Not by fetch, which does not tell how much has left.
    upload: <A>(query: string, file: Blob, { idempotencyKey, progress, signal, type }: Parameters<Client["upload"]>[2]) =>
      new Promise<Answer<A>>((resolve) => {
        const request = new XMLHttpRequest()
        const abort = (): void => request.abort()
        request.open("POST", `/v1/jobs?${query}`)
        request.setRequestHeader("authorization", authorization)
        request.setRequestHeader("content-type", type)
        if (idempotencyKey !== null) request.setRequestHeader("idempotency-key", idempotencyKey)
        request.upload.addEventListener("progress", ({ loaded }) => progress(loaded))
        request.addEventListener("load", () => {
          if (request.status >= 300) return resolve(troubleOf(request.status, request.responseText))
          try {
            resolve(JSON.parse(request.responseText) as A)
          } catch {
            resolve(unreachable)
          }
        })
        request.addEventListener("error", () => resolve(unreachable))
        request.addEventListener("abort", () => resolve(aborted))
        signal.addEventListener("abort", abort, { once: true })
        closing.signal.addEventListener("abort", abort, { once: true })
        request.send(file)
      }),
    close: () => closing.abort()
  }
}
