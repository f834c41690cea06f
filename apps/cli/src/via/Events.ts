/** Reads server-sent events out of texts as they come. */
import { createParser } from "eventsource-parser"

/** One event. */
export interface Event {
  /** What `Last-Event-ID` repeats; empty where there is none. */
  readonly id: string
  readonly data: string
}

/** Takes the next text, and gives the events that it completes. */
export type Parser = (text: string) => ReadonlyArray<Event>

/** A parser that has read nothing yet; kinds and `retry` are passed over. */
export const parser = (): Parser => {
  let events: Array<Event> = []
  let last = ""
  const { feed } = createParser({
    onEvent: ({ data, id = last }) => {
      last = id
      events.push({ id, data })
    }
  })
  return (text) => {
    events = []
    feed(text)
    return events
  }
}
