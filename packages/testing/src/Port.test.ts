import { createServer } from "node:net"
import { expect, it } from "vitest"
import * as Port from "./Port.js"

it("a free port can be listened on", async () => {
  const port = await Port.free()
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", resolve)
  })
  expect(server.address()).toMatchObject({ port })
  await new Promise((resolve) => server.close(resolve))
})
