/** What a screen reader is told beside what it reads: rarely enough to be listened to. */
import { byId, write } from "./Dom.js"

/** Says something now. */
export const now = (text: string): void => write(byId("said"), text)

const betweenMillis = 10_000

/** Says how something goes, at most every ten seconds. */
export const progress = (): (text: string) => void => {
  let said = Number.NEGATIVE_INFINITY
  return (text) => {
    if (performance.now() - said < betweenMillis) return
    said = performance.now()
    now(text)
  }
}
