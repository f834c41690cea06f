/** Asks before something is done that a slip of the hand should not do. */
import { button, el } from "./Dom.js"

/** What is asked. */
export interface Question {
  readonly title: string
  readonly text: string
  readonly yes: string
  readonly no: string
  readonly isDangerous: boolean
}

/** Whether a person wants it; Escape is a no. */
export const ask = ({ isDangerous, no, text, title, yes }: Question): Promise<boolean> =>
  new Promise((resolve) => {
    const end = (answer: boolean) => (): void => {
      dialog.close()
      dialog.remove()
      before?.focus()
      resolve(answer)
    }
    const before = document.activeElement instanceof HTMLElement ? document.activeElement : null
    const refuse = button(no, end(false))
    const dialog = el(
      "dialog",
      { "aria-labelledby": "question", "aria-describedby": "consequence", oncancel: end(false) },
      el("h2", { id: "question" }, title),
      el("p", { id: "consequence" }, text),
      el("div", { class: "actions" }, refuse, button(yes, end(true), isDangerous ? "danger" : "primary"))
    )
    document.body.append(dialog)
    dialog.showModal()
    refuse.focus()
  })
