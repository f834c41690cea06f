// What compose.yaml starts, as processes of this machine and without a container engine: PostgreSQL, an upstream simulator, replicas of
// the proxy, and a plain balancer in front. Prints where they listen and a key; SIGINT or SIGTERM ends them all.
//
//   node scripts/replicas.mjs [--replicas 3] [--rate 600/min]
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Port from "../packages/testing/dist/Port.js"
import * as PostgresServer from "../packages/testing/dist/PostgresServer.js"

const { parse } = createRequire(new URL("../apps/proxy/package.json", import.meta.url))("yaml")
const root = fileURLToPath(new URL("..", import.meta.url))
const harness = join(root, "apps/harness/dist/bin.js")
const proxy = join(root, "apps/proxy/dist/bin.cjs")

const children = new Set()

/** Starts a program and waits until it has printed what it listens on; its log goes to a file. */
const started = (file, args, env, listening) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], { env, stdio: ["ignore", "pipe", "pipe"] })
    children.add(child)
    let out = ""
    let err = ""
    child.stderr.on("data", (chunk) => (err = (err + chunk).slice(-2_000)))
    child.stdout.on("data", (chunk) => {
      out += chunk
      const found = listening.exec(out)
      if (found !== null) resolve({ child, url: found[1] })
    })
    child.once("close", (code) => {
      children.delete(child)
      reject(new Error(`${file} ended with ${code}: ${err}`))
    })
  })

const printed = (args, env) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [proxy, ...args], { env, stdio: ["ignore", "pipe", "inherit"] })
    let out = ""
    child.stdout.on("data", (chunk) => (out += chunk))
    child.once("close", (code) => code === 0 ? resolve(out) : reject(new Error(`milepost-proxy ${args.join(" ")} ended with ${code}`)))
  })

/** Takes connections to the replicas in turn; one that does not answer is passed over. */
const balancer = async (ports) => {
  let turn = 0
  const server = createServer((client) => {
    let left = ports.length
    const attempt = () => {
      const upstream = connect(ports[turn++ % ports.length], "127.0.0.1")
      upstream.once("connect", () => {
        client.pipe(upstream).pipe(client)
        const end = () => {
          client.destroy()
          upstream.destroy()
        }
        for (const socket of [client, upstream]) socket.on("error", end)
      })
      upstream.once("error", () => {
        left -= 1
        if (left > 0 && !client.destroyed) attempt()
        else client.destroy()
      })
    }
    client.on("error", () => undefined)
    attempt()
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}

const { values: { rate, replicas: many } } = parseArgs({ options: { replicas: { type: "string", default: "3" }, rate: { type: "string" } } })

// What the containers are told, with the names of this machine.
const { services } = parse(readFileSync(join(root, "compose.yaml"), "utf8"), { merge: true })
const told = Object.entries(services).filter(([name]) => name.startsWith("proxy-")).map(([, { environment }]) => environment)

const work = mkdtempSync(join(tmpdir(), "milepost-replicas-"))
const server = await PostgresServer.start()
let front = null
let isStopping = false
const stop = async (code) => {
  if (isStopping) return
  isStopping = true
  front?.close()
  await Promise.all([...children].map((child) => new Promise((resolve) => {
    child.removeAllListeners("close")
    child.once("close", resolve)
    child.kill("SIGTERM")
    // One that somebody froze does not hear.
    child.kill("SIGCONT")
  })))
  await server.close()
  rmSync(work, { recursive: true, force: true })
  process.exit(code)
}
process.on("SIGINT", () => void stop(0))
process.on("SIGTERM", () => void stop(0))

try {
  const databaseUrl = await server.database()
  const upstream = await started(harness, ["serve"], { PATH: process.env.PATH }, /listens at (\S+)/)
  const ports = await Promise.all(Array.from({ length: Number(many) }, Port.free))
  const environmentOf = (index) => ({
    PATH: process.env.PATH,
    HOME: work,
    ...told[index % told.length],
    ...(rate === undefined ? {} : { MILEPOST_RATE: rate }),
    MILEPOST_DATABASE_URL: databaseUrl,
    MILEPOST_HOST: upstream.url,
    MILEPOST_PROXY_PORT: String(ports[index]),
    MILEPOST_PROXY_ADVERTISE: `http://127.0.0.1:${ports[index]}`
  })
  const all = await Promise.all(ports.map((_, index) => started(proxy, [], environmentOf(index), /listens at (\S+)/)))
  const { secret } = JSON.parse(await printed(["keys", "create", "--name", "replicas", "--org", "sandbox", "--json"], environmentOf(0)))
  front = await balancer(ports)
  console.log([
    `MILEPOST_PROXY_URL=${front.url}`,
    `MILEPOST_API_KEY=${secret}`,
    `MILEPOST_SIMULATOR_URL=${upstream.url}`,
    `MILEPOST_DATABASE_URL=${databaseUrl}`,
    ...all.map(({ child, url }, index) => `# replica ${index + 1}: ${url} (process ${child.pid})`)
  ].join("\n"))
  // A replica that somebody kills is what this is for.
  for (const child of children) {
    child.removeAllListeners("close")
    child.once("close", (code, signal) => {
      children.delete(child)
      console.log(`# process ${child.pid} has ended: ${signal ?? code}`)
    })
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  await stop(1)
}
