/** Elements from plain values: text is always text, so that nothing that comes from a file or an upstream becomes markup. */

/** A child of an element; nothing is left out. */
export type Child = Node | string | null

/** Attributes by name, and listeners by `on…`; what is `false` or `null` is left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | ((event: Event) => void)>>

const dress = (element: Element, attributes: Attributes, children: ReadonlyArray<Child>): void => {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value)
    else if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : String(value))
  }
  for (const child of children) if (child !== null) element.append(child)
}

/** An element of HTML. */
export const el = <Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[Name] => {
  const element = document.createElement(name)
  dress(element, attributes, children)
  return element
}

/** An element of SVG. */
export const svg = <Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Child>
): SVGElementTagNameMap[Name] => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name)
  dress(element, attributes, children)
  return element
}

/** The element of the page's own markup with this id. */
export const byId = (id: string): HTMLElement => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/** Sets a text where it has changed, so that nobody is told of what has not. */
export const write = (element: Element, text: string): void => {
  if (element.textContent !== text) element.textContent = text
}

/** A button that does something. */
export const button = (text: string, act: () => void, kind: "danger" | "plain" | "primary" = "plain"): HTMLButtonElement =>
  el("button", { type: "button", class: kind, onclick: act }, text)

/** A table in a box that scrolls by itself, with a name for whoever cannot see it. */
export const table = (
  name: string,
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Child>>,
  numbers: ReadonlyArray<number> = []
): HTMLElement => {
  const kind = (index: number): string | null => numbers.includes(index) ? "number" : null
  return el(
    "div",
    { class: "scroll", role: "group", "aria-label": name, tabindex: 0 },
    el(
      "table",
      {},
      el("caption", { class: "unseen" }, name),
      el("thead", {}, el("tr", {}, ...head.map((text, index) => el("th", { scope: "col", class: kind(index) }, text)))),
      el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell, index) => el("td", { class: kind(index) }, cell)))))
    )
  )
}
