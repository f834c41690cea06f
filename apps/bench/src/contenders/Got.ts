/** got over a keep-alive agent. */
import { got } from "got"
import { Agent } from "node:http"
import { type Open, promises } from "../Contender.js"
import * as Work from "../Work.js"

/** Opens an agent of as many sockets as calls in flight; retries are off, as nothing here is to be repeated. */
export const open: Open = (origin) => {
  const agent = new Agent({ keepAlive: true, maxSockets: Work.inFlight })
  const client = got.extend({
    prefixUrl: origin,
    headers: { ...Work.headers },
    agent: { http: agent },
    retry: { limit: 0 },
    throwHttpErrors: false,
    responseType: "json"
  })
  return promises(
    async (call) => {
      const { body, statusCode } = await client.post<unknown>(Work.path(call).slice(1), { json: Work.record(call) })
      return Work.ended(call, statusCode, body)
    },
    () => Promise.resolve(agent.destroy())
  )
}
