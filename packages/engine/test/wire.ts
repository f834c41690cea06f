/** The wire between a process and its database, which a test can cut: nothing gets through, and nobody is told. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface Wire {
  /** The database's address by way of this wire. */
  readonly url: string
  /** From now on nothing gets through, in either direction; new connections are taken and never answered. */
  readonly cut: () => void
  /** Lets everything through again, what has been waiting first. */
  readonly mend: () => void
  readonly close: () => Promise<void>
}

/** A wire to the database at this address. */
export const wireTo = (url: string): Promise<Wire> =>
  new Promise((resolve) => {
    const there = new URL(url)
    const sockets = new Set<Socket>()
    let isCut = false
    const server = createServer((near) => {
      const far = connect(Number(there.port), there.hostname)
      for (const [from, to] of [[near, far], [far, near]] as const) {
        sockets.add(from)
        from.on("data", (bytes) => to.write(bytes))
        from.on("error", () => to.destroy())
        from.on("close", () => {
          sockets.delete(from)
          to.destroy()
        })
        if (isCut) from.pause()
      }
    })
    server.listen(0, "127.0.0.1", () => {
      const here = new URL(url)
      here.port = String((server.address() as AddressInfo).port)
      resolve({
        url: here.href,
        cut: () => {
          isCut = true
          for (const socket of sockets) socket.pause()
        },
        mend: () => {
          isCut = false
          for (const socket of sockets) socket.resume()
        },
        close: () => {
          for (const socket of sockets) socket.destroy()
          return new Promise((done) => server.close(() => done()))
        }
      })
    })
  })
