/** Asks for a key, and tries it before anything else is shown. */
import * as Client from "./Client.js"
import { el, write } from "./Dom.js"

/** A form that hands on a client whose key is accepted; `message` says why it is shown again. */
export const make = (message: string, entered: (client: Client.Client, orgs: ReadonlyArray<Client.Org>) => void): HTMLElement => {
  const input = el("input", {
    id: "key",
    type: "password",
    required: true,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    "aria-describedby": "key-hint key-trouble"
  })
  const trouble = el("p", { id: "key-trouble", class: "trouble", role: "alert" }, message)
  const send = el("button", { type: "submit", class: "primary" }, "Open")
  const refuse = (text: string): void => {
    input.setAttribute("aria-invalid", "true")
    write(trouble, text)
    send.disabled = false
    input.select()
    input.focus()
  }
  const submit = async (): Promise<void> => {
    const key = input.value.trim()
    if (!/^[\x21-\x7e]+$/.test(key)) return refuse("A key is one word, such as mp_… .")
    send.disabled = true
    write(trouble, "")
    const client = Client.make(key)
    const orgs = await client.orgs()
    if (Client.isTrouble(orgs)) {
      return refuse(orgs.status === 401 ? "This key is not accepted. It may be mistyped, or revoked." : `${orgs.title}. ${orgs.detail}`)
    }
    input.value = ""
    entered(client, orgs)
  }
  return el(
    "form",
    {
      class: "sign-in",
      "aria-labelledby": "sign-in",
      onsubmit: (event) => {
        event.preventDefault()
        void submit()
      }
    },
    el("h2", { id: "sign-in" }, "Operate jobs"),
    el("div", { class: "field" }, el("label", { for: "key" }, "API key"), input,
      el("p", { id: "key-hint", class: "hint" }, "Made by milepost-proxy keys create. It is kept in this page's memory only: a reload forgets it.")),
    trouble,
    el("div", { class: "actions" }, send)
  )
}
