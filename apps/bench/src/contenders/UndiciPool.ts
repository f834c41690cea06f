/** `Pool.request` of undici: what somebody writes who wants speed and nothing else. */
import { Pool } from "undici"
import { type Open, promises } from "../Contender.js"
import * as Work from "../Work.js"

/** A pool of as many connections as calls in flight. */
export const pool = (origin: string): Pool => new Pool(origin, { connections: Work.inFlight })

/** Makes one call. */
export const enroll = (pool: Pool) => async (call: Work.Call): Promise<Work.Ended> => {
  const { body, statusCode } = await pool.request({
    method: "POST",
    path: Work.path(call),
    headers: Work.headers,
    body: Work.body(call)
  })
  return Work.ended(call, statusCode, await body.json())
}

/** Opens a pool. */
export const open: Open = (origin) => {
  const opened = pool(origin)
  return promises(enroll(opened), () => opened.close())
}
