/** Reads server-sent events out of texts as they come. */

/** One event. */
export interface Event {
  /** What `Last-Event-ID` repeats; empty where there is none. */
  readonly id: string
  readonly data: string
}

/** Takes the next text, and gives the events that it completes. */
export type Parser = (text: string) => ReadonlyArray<Event>

/** A parser after the HTML standard, for what a proxy sends: kinds and `retry` are passed over. */
export const parser = (): Parser => {
  let held = ""
  let id = ""
  let data: Array<string> = []
  const field = (line: string): void => {
    const colon = line.indexOf(":")
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (name === "id") id = value
    else if (name === "data") data.push(value)
  }
  return (text) => {
    held += text
    // A carriage return at the end may be half of a line's end.
    const isHalf = held.endsWith("\r")
    const lines = (isHalf ? held.slice(0, -1) : held).split(/\r\n|\n|\r/)
    held = (lines.pop() ?? "") + (isHalf ? "\r" : "")
    const events: Array<Event> = []
    for (const line of lines) {
      if (line !== "") {
        field(line)
        continue
      }
      if (data.length > 0) events.push({ id, data: data.join("\n") })
      data = []
    }
    return events
  }
}
