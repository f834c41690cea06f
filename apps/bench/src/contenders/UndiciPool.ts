/** `Pool.request` of undici: what somebody writes who wants speed and nothing else. */
import { Pool } from "undici"
import { type Open, promises } from "../Contender.js"
import * as Work from "../Work.js"

/** Opens a pool of as many connections as calls in flight. */
export const open: Open = (origin) => {
  const pool = new Pool(origin, { connections: Work.inFlight })
  return promises(
    async (call) => {
      const { body, statusCode } = await pool.request({
        method: "POST",
        path: Work.path(call),
        headers: Work.headers,
        body: Work.body(call)
      })
      return Work.ended(call, statusCode, await body.json())
    },
    () => pool.close()
  )
}
