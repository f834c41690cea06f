/** The page: asks for a key, works with it, and forgets it. */
import * as Desk from "./Desk.js"
import { button, byId } from "./Dom.js"
import * as Say from "./Say.js"
import * as SignIn from "./SignIn.js"

const main = byId("main")
const session = byId("session")
let desk: Desk.Desk | null = null

const forget = (message: string): void => {
  desk?.close()
  desk = null
  session.replaceChildren()
  main.replaceChildren(SignIn.make(message, (client, orgs) => {
    desk = Desk.make(client, orgs, () => forget("The key is not accepted any more."))
    session.replaceChildren(button("Forget key", () => {
      forget("")
      Say.now("The key is forgotten.")
    }))
    main.replaceChildren(desk.element)
    main.focus()
    Say.now("The key is accepted.")
  }))
  main.querySelector("input")?.focus()
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault()
  main.focus()
})
// Whoever comes back by the browser's memory of the page finds no key in it.
addEventListener("pagehide", () => forget(""))
forget("")
