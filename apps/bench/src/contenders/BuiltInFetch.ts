/** Node's own `fetch`: what a script begins with. */
import { type Open, promises } from "../Contender.js"
import * as Work from "../Work.js"

/** Makes one call. */
export const enroll = (origin: string) => async (call: Work.Call): Promise<Work.Ended> => {
  const response = await fetch(origin + Work.path(call), {
    method: "POST",
    headers: Work.headers,
    body: Work.body(call)
  })
  return Work.ended(call, response.status, await response.json())
}

/** There is nothing to open: the connections are Node's, and end with the process. */
export const open: Open = (origin) => promises(enroll(origin), () => Promise.resolve())
