/** How fast each organisation may be called just now: what was set or learnt, and what stands in the way. */
import type { Org } from "./Client.js"
import { el, table } from "./Dom.js"
import * as Words from "./Words.js"

/** The limit of an organisation in words. */
export const limitOf = ({ callsPerSecond, isConfigured }: Org): string =>
  isConfigured ? callsPerSecond === null ? "none met" : Words.rate(callsPerSecond) : "–"

const stateOf = ({ down, isConfigured, isPaused }: Org): string => {
  if (!isConfigured) return "not configured"
  if (down !== null) return `down: ${down}`
  return isPaused ? "paused: 429" : "up"
}

/** The list. */
export interface OrgList {
  readonly element: HTMLElement
  readonly update: (orgs: ReadonlyArray<Org>) => void
}

/** A list of nothing yet. */
export const make = (): OrgList => {
  const element = el("div")
  let shown = ""
  return {
    element,
    update: (orgs) => {
      const text = JSON.stringify(orgs)
      // Built anew only where something has changed: it can be scrolled and focused.
      if (text === shown) return
      shown = text
      const hadFocus = element.contains(document.activeElement)
      const built = table(
        "Organisations",
        ["Organisation", "Limit", "In flight", "Upstream"],
        orgs.map((org) => [org.id, limitOf(org), `${Words.count(org.inFlight)} / ${Words.count(org.places)}`, stateOf(org)]),
        [1, 2]
      )
      element.replaceChildren(built)
      if (hadFocus) built.focus()
    }
  }
}
