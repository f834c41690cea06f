/** A job's records as one bar. */
import { svg } from "./Dom.js"
import * as Tally from "./Tally.js"

const width = 1000

const segments = (parts: ReadonlyArray<Tally.Part>): ReadonlyArray<SVGRectElement> => {
  const widths = Tally.widths(parts, width)
  let x = 0
  return parts.map(({ word }, index) => {
    const wide = widths[index] ?? 0
    const rect = svg("rect", { x: x.toFixed(2), y: 0, width: wide.toFixed(2), height: 10, class: `part ${word}` })
    x += wide
    return rect
  })
}

/** A bar. */
export interface Bar {
  readonly element: SVGSVGElement
  readonly update: (tally: Tally.Tally) => void
}

/** A bar that says in words what it shows, or one beside which the words stand already. */
export const bar = (hasWords: boolean): Bar => {
  const attributes = hasWords ? { role: "img" } : { "aria-hidden": "true" }
  const element = svg("svg", { class: "bar", viewBox: `0 0 ${width} 10`, preserveAspectRatio: "none", focusable: "false", ...attributes })
  return {
    element,
    update: (tally) => {
      element.replaceChildren(...segments(tally.parts))
      if (hasWords) element.setAttribute("aria-label", Tally.sentence(tally))
    }
  }
}
