/**
 * Server-sent events over `fetch`, because an `EventSource` cannot send a key.
 *
 * A stream that breaks off or falls silent is opened again with the id of the last event, so that nothing is missed and
 * nothing told twice.
 */
import { createParser } from "eventsource-parser"
import { type Answer, isTrouble, type Trouble } from "./Client.js"

/** One event. */
export interface Event {
  readonly id: string
  readonly kind: string
  readonly data: string
}

/** Reads events from texts as they come. */
export interface Parser {
  readonly push: (text: string) => ReadonlyArray<Event>
}

/** A parser that has read nothing yet; `retry` is passed over, which the service does not send. */
export const parser = (): Parser => {
  let events: Array<Event> = []
  let last = ""
  const { feed } = createParser({
    onEvent: ({ data, event: kind = "message", id = last }) => {
      last = id
      events.push({ id, kind, data })
    }
  })
  return {
    push: (text) => {
      events = []
      feed(text)
      return events
    }
  }
}

/** Whether events come just now. */
export type Link = "connecting" | "live" | "waiting"

/** What a follower needs. */
export interface Options {
  readonly open: (headers: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Answer<Response>>
  /** Told of every event; whether there will be more. */
  readonly event: (event: Event) => boolean
  readonly link: (link: Link) => void
  readonly signal: AbortSignal
  /** Waits; ends early when the signal aborts. */
  readonly sleep: (millis: number, signal: AbortSignal) => Promise<void>
}

/** The service says something every fifteen seconds, if only that it is there. */
const silenceMillis = 40_000

const longestMillis = 15_000

/** An answer that another try would get again. */
const isFinal = ({ status }: Trouble): boolean => status === 401 || status === 403 || status === 404

/** One stream to its end: whether the last event has come. */
const read = async (body: ReadableStream<Uint8Array>, options: Options, cut: () => void, told: (event: Event) => boolean): Promise<boolean> => {
  const { push } = parser()
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let silence = setTimeout(cut, silenceMillis)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return false
      clearTimeout(silence)
      silence = setTimeout(cut, silenceMillis)
      for (const event of push(decoder.decode(value, { stream: true }))) if (!told(event)) return true
    }
  } catch {
    return options.signal.aborted
  } finally {
    clearTimeout(silence)
    void reader.cancel().catch(() => undefined)
  }
}

/** Follows a stream of events until the last one, or until the signal aborts; what is answered is why it cannot be followed. */
export const follow = async (options: Options): Promise<Trouble | null> => {
  let last: string | null = null
  let waits = 0
  while (!options.signal.aborted) {
    options.link("connecting")
    const cutting = new AbortController()
    const signal = AbortSignal.any([options.signal, cutting.signal])
    const answer = await options.open(last === null ? {} : { "last-event-id": last }, signal)
    if (options.signal.aborted) return null
    let pauseMillis = 0
    if (isTrouble(answer)) {
      if (isFinal(answer)) return answer
      pauseMillis = (answer.retryAfterSeconds ?? 0) * 1_000
    } else if (answer.body !== null) {
      options.link("live")
      const isOver = await read(answer.body, options, () => cutting.abort(), (event) => {
        last = event.id
        waits = 0
        return options.event(event)
      })
      if (isOver) return null
    }
    options.link("waiting")
    await options.sleep(Math.max(pauseMillis, Math.min(longestMillis, 500 * 2 ** waits)), options.signal)
    waits += 1
  }
  return null
}

/** Waits by the clock of this browser. */
export const sleep = (millis: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(end, millis)
    function end(): void {
      clearTimeout(timer)
      signal.removeEventListener("abort", end)
      resolve()
    }
    signal.addEventListener("abort", end)
  })
