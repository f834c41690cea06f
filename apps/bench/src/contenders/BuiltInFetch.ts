/** Node's own `fetch`: what a script begins with. */
import { type Open, promises } from "../Contender.js"
import * as Work from "../Work.js"

/** There is nothing to open: the connections are Node's, and end with the process. */
export const open: Open = (origin) =>
  promises(
    async (call) => {
      const response = await fetch(origin + Work.path(call), {
        method: "POST",
        headers: Work.headers,
        body: Work.body(call)
      })
      return Work.ended(call, response.status, await response.json())
    },
    () => Promise.resolve()
  )
