/**
 * What a server of Node costs that does nothing: a plain `node:http` server with one answer, whatever it is asked.
 *
 * It looks at no path, no header and no body. Its answer is what the simulator says of the first customer, byte for byte,
 * so that the load client has the same to read.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Work from "../Work.js"

/** The answer. */
export const body = `{"data":${Work.firstCustomer},"errors":null,"warnings":null}`

const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) }

/** How a call ended here: right is the one answer. */
export const ended: typeof Work.ended = (_, status, answer) => Work.ended({ customerId: Work.firstCustomer }, status, answer)

/** Listens on a free port of this machine. */
export const listen = async (): Promise<{ readonly origin: string; readonly close: () => Promise<void> }> => {
  const server = createServer((_, response) => {
    response.writeHead(200, headers)
    response.end(body)
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

/** The process: `plain`; tells where it listens, as `milepost-harness serve` does, and does so until it is killed. */
export const main = async (): Promise<void> => {
  console.log(`A plain server listens at ${(await listen()).origin}`)
}
