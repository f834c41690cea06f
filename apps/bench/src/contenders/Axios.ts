/** axios over a keep-alive agent. */
import { create } from "axios"
import { Agent } from "node:http"
import { type Open, promises } from "../Contender.js"
import * as Work from "../Work.js"

/** Opens an agent of as many sockets as calls in flight. */
export const open: Open = (origin) => {
  const agent = new Agent({ keepAlive: true, maxSockets: Work.inFlight })
  const client = create({ baseURL: origin, headers: Work.headers, httpAgent: agent, validateStatus: () => true })
  return promises(
    async (call) => {
      const { data, status } = await client.post<unknown>(Work.path(call), Work.record(call))
      return Work.ended(call, status, data)
    },
    () => Promise.resolve(agent.destroy())
  )
}
