/**
 * Does the steps of apps/proxy/Dockerfile by hand in a temporary folder, where there is no engine to build it with: what is
 * committed, the RUN lines of the build as they stand, the entry point as another user than the owner of the files, the
 * health check, and SIGTERM. `node scripts/dockerfile.mjs`, as root so that it can be another user. It does not check the
 * base image, or what an engine does with VOLUME, HEALTHCHECK and the rest.
 */
import { execFileSync, spawn } from "node:child_process"
import { accessSync, chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "./workspace.mjs"

const text = readFileSync(join(root, "apps/proxy/Dockerfile"), "utf8").replaceAll("\\\n", " ")
const stages = new Map(text.split(/^FROM /m).slice(1).map((stage) => {
  const [head = "", ...lines] = stage.split("\n")
  return [/ AS (\S+)/.exec(head)?.[1], lines.filter((line) => /^[A-Z]+ /.test(line))]
}))
const of = (stage, instruction) => stages.get(stage).filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1))

const work = mkdtempSync(join(tmpdir(), "milepost-dockerfile-"))
chmodSync(work, 0o755)
const source = join(work, "src")
const app = join(work, "app")
const data = join(work, "data")
const within = (line) => line.replaceAll(" /app", ` ${app}`).replaceAll("/data", data)

try {
  mkdirSync(source)
  execFileSync("sh", ["-c", `git archive HEAD | tar x -C ${source}`], { cwd: root })
  for (const line of ["source", "build", "build-simulator"].flatMap((stage) => of(stage, "RUN"))) {
    console.log(`RUN ${line}`)
    execFileSync("sh", ["-c", within(line)], { cwd: source, stdio: ["ignore", "ignore", "inherit"] })
  }
  for (const copied of of("simulator", "COPY").map((line) => line.split(" ")[1])) accessSync(join(source, copied.replace("/src/", "")))
  const simulator = join(work, "simulator")
  mkdirSync(simulator)
  for (const name of ["dist", "package.json"]) cpSync(join(source, "apps/harness", name), join(simulator, name), { recursive: true })
  const world = execFileSync(process.execPath, [join(simulator, "dist/bin.js"), "serve", "--help"], { cwd: "/" })
  if (!String(world).includes("--port")) throw new Error("the simulator has no --port")
  console.log("the simulator's bundle runs with nothing beside it")

  // Owned by root, run by another: whatever it writes outside its data fails.
  const user = process.getuid() === 0 ? { uid: 1000, gid: 1000 } : {}
  mkdirSync(data, { mode: 0o700 })
  if (user.uid !== undefined) chownSync(data, user.uid, user.gid)
  const environment = Object.fromEntries(of("proxy", "ENV").join(" ").split(" ").map((pair) => within(pair).split("=")))
  const env = {
    PATH: process.env.PATH,
    ...environment,
    MILEPOST_PROXY_HOST: "127.0.0.1",
    MILEPOST_PROXY_PORT: "18329",
    MILEPOST_PROXY_ORG: "brand",
    MILEPOST_HOST: "eu",
    MILEPOST_USERNAME: "nobody",
    MILEPOST_PASSWORD: "nothing"
  }
  const entry = [...JSON.parse(of("proxy", "ENTRYPOINT")[0]), ...JSON.parse(of("proxy", "CMD")[0])].map((part) => part.replace("/app", app))
  const proxy = spawn(entry[0], entry.slice(1), { cwd: "/", env, ...user, stdio: ["ignore", "pipe", "inherit"] })
  const ended = new Promise((resolve) => proxy.once("exit", resolve))
  await Promise.race([new Promise((resolve) => proxy.stdout.once("data", resolve)), ended.then((code) => Promise.reject(new Error(`it ended with ${code}`)))])
  const check = JSON.parse(/CMD (\[.*\])$/.exec(of("proxy", "HEALTHCHECK")[0])[1])
  execFileSync(check[0], check.slice(1), { env, ...user })
  console.log("HEALTHCHECK: healthy")
  const made = execFileSync(entry[0], [entry[1], "keys", "create", "--name", "x", "--org", "brand", "--json"], { env, ...user })
  if (JSON.parse(String(made)).secret === undefined) throw new Error("no key was made")
  console.log("a key was made in the running container's place")
  proxy.kill("SIGTERM")
  const code = await ended
  if (code !== 0) throw new Error(`SIGTERM ended with ${code}`)
  let isHealthy = true
  try {
    execFileSync(check[0], check.slice(1), { env, ...user })
  } catch {
    isHealthy = false
  }
  if (isHealthy) throw new Error("the health check says healthy of nothing")
  console.log("SIGTERM: 0; HEALTHCHECK: unhealthy")
} finally {
  rmSync(work, { recursive: true, force: true })
}
