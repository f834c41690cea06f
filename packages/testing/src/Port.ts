/** Ports of this machine, for programs that cannot be asked to choose one. */
import { createServer } from "node:net"

/** A port that was free a moment ago. */
export const free = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
