/** The built proxy as a process, as the command line meets it, and a way to it that can be cut. */
import { type ChildProcess, spawn } from "node:child_process"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { fileURLToPath } from "node:url"

const bin = fileURLToPath(new URL("../../proxy/dist/bin.cjs", import.meta.url))

/** A proxy that runs. */
export interface Proxy {
  readonly url: string
  /** The variables that a command is given: where it is, and a key. */
  readonly env: Readonly<Record<string, string>>
  /** Ends at once, without a word. */
  readonly kill: () => Promise<void>
  /** The same proxy again, at the same port, over the same data. */
  readonly again: () => Promise<void>
}

const started = new Set<ChildProcess>()

/** Ends every proxy. */
export const stopAll = (): void => {
  for (const child of started) child.kill("SIGKILL")
}

const begin = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
  const child = spawn(process.execPath, [bin, ...args], { env: { PATH: process.env["PATH"] ?? "", ...env } })
  started.add(child)
  const said = { out: "", err: "" }
  child.stdout.on("data", (chunk: Buffer) => (said.out += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (said.err += chunk.toString()))
  const ended = new Promise<void>((resolve) =>
    child.once("close", () => {
      started.delete(child)
      resolve()
    }))
  const saying = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const [, found] = pattern.exec(said.out) ?? pattern.exec(said.err) ?? []
        if (found !== undefined) resolve(found)
      }
      child.stdout.on("data", look)
      child.stderr.on("data", look)
      void ended.then(() => reject(new Error(`the proxy ended:\n${said.err}`)))
      look()
    })
  return { child, ended, saying, said }
}

/** The proxy that anybody can try: the sample world, nothing kept. */
export const sandbox = async (): Promise<Pick<Proxy, "env" | "url">> => {
  const { saying } = begin(["serve", "--sandbox"], { MILEPOST_PROXY_PORT: "0" })
  await saying(/^MILEPOST_SIMULATOR_URL=(.*)$/m)
  const url = await saying(/^MILEPOST_PROXY_URL=(.*)$/m)
  return { url, env: { MILEPOST_VIA: url, MILEPOST_API_KEY: await saying(/^MILEPOST_API_KEY=(.*)$/m) } }
}

/** A proxy before an upstream, with a key of its own. */
export const before = async (
  data: string,
  upstream: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>> = {},
  /** What its key opens, beside its organisation. */
  grant: ReadonlyArray<string> = []
): Promise<Proxy> => {
  const settings = { MILEPOST_PROXY_DATA: data, MILEPOST_PROXY_ORG: "brand", ...upstream, ...more }
  const made = begin(["keys", "create", "--name", "a test", "--org", "brand", ...grant], settings)
  const key = await made.saying(/\b(mp_[\w-]+)/)
  await made.ended
  const serve = (port: string) => begin(["serve"], { ...settings, MILEPOST_PROXY_PORT: port })
  let serving = serve("0")
  const url = await serving.saying(/"url":"(http:[^"]+)"/)
  return {
    url,
    env: { MILEPOST_VIA: url, MILEPOST_API_KEY: key },
    kill: () => {
      serving.child.kill("SIGKILL")
      return serving.ended
    },
    again: async () => {
      serving = serve(new URL(url).port)
      await serving.saying(/"url":"(http:[^"]+)"/)
    }
  }
}

/** What a relay does with the answers of a connection; the request that it began with is told. */
export type Fate = (request: string) => "pass" | "drop the answer"

/** A way to a proxy. */
export interface Relay {
  readonly url: string
  /** Cuts every connection, as a restarted load balancer does. */
  readonly cut: () => void
  readonly close: () => void
}

/** A way to a proxy that loses what it is told to lose. */
export const relay = async (to: string, fate: Fate = () => "pass"): Promise<Relay> => {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(new URL(to).port), "127.0.0.1")
    let request = ""
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on("error", () => undefined)
      socket.on("close", () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.on("data", (chunk: Buffer) => {
      request ||= chunk.toString("latin1")
      far.write(chunk)
    })
    far.on("data", (chunk: Buffer) => {
      if (fate(request.split("\r\n", 1)[0] ?? "") === "pass") near.write(chunk)
      else near.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close: () => {
      cut()
      server.close()
    }
  }
}
