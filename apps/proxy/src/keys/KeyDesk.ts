/**
 * Where keys are made, listed and revoked: at the file itself, or through the process that holds it.
 *
 * A running service has its file to itself, so it takes such wishes through a socket beside it that only its own user can
 * open. A key works, or works no more, from the moment the answer is there. A database that replicas share needs no desk.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type { StoreFailed } from "../Store.js"
import type * as ApiKey from "./ApiKey.js"
import type { Service as Keys } from "./Keys.js"

/** What is asked for. */
export type Wish =
  | { readonly _tag: "Create"; readonly grant: ApiKey.Grant }
  | { readonly _tag: "List" }
  | { readonly _tag: "Revoke"; readonly id: string }

/** A key as it may be shown. */
export type Shown = Omit<ApiKey.ApiKey, "hash">

/** What came of it. */
export type Reply =
  | { readonly _tag: "Created"; readonly key: Shown; readonly secret: string }
  | { readonly _tag: "Listed"; readonly keys: ReadonlyArray<Shown> }
  | { readonly _tag: "Revoked"; readonly key: Shown }
  | { readonly _tag: "NotFound" }
  | { readonly _tag: "Failed"; readonly message: string }

/** The desk cannot be opened. */
export class DeskClosed extends Data.TaggedError("DeskClosed")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path}: cannot be opened; keys can only be made while the service does not run`
  }
}

/** The socket beside the data. */
export const socketOf = (data: string): string => `${data}/keys.sock`

const shown = ({ createdMillis, id, name, orgs, perMinute, revokedMillis, targetGroups }: ApiKey.ApiKey): Shown =>
  ({ id, name, orgs, targetGroups, perMinute, createdMillis, revokedMillis })

/** Does what is asked for. */
export const fulfil = (keys: Keys, wish: Wish): Effect.Effect<Reply> => {
  const done: Effect.Effect<Reply, StoreFailed> = wish._tag === "Create"
    ? Effect.map(keys.create(wish.grant), ({ key, secret }) => ({ _tag: "Created", key: shown(key), secret: Redacted.value(secret) }))
    : wish._tag === "List"
    ? Effect.map(keys.list, (all) => ({ _tag: "Listed", keys: all.map(shown) }))
    : Effect.map(keys.revoke(wish.id), (key) => key === null ? { _tag: "NotFound" } : { _tag: "Revoked", key: shown(key) })
  return Effect.catchAll(done, ({ message }) => Effect.succeed<Reply>({ _tag: "Failed", message }))
}

const mostBytes = 1_048_576

/** Reads one line from a socket. */
const onLine = (socket: Net.Socket, then: (line: string) => void): void => {
  let text = ""
  socket.setEncoding("utf8")
  socket.on("data", (chunk: string) => {
    text += chunk
    const end = text.indexOf("\n")
    if (end !== -1) {
      socket.pause()
      then(text.slice(0, end))
    } else if (text.length > mostBytes) socket.destroy()
  })
}

const parsed = (line: string): Wish | null => {
  try {
    return JSON.parse(line) as Wish
  } catch {
    return null
  }
}

/** Opens the desk until the scope closes; fails with {@link DeskClosed} where the socket cannot be made. */
export const open = (
  data: string,
  keys: Keys
): Effect.Effect<void, DeskClosed, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const runtime = yield* Effect.runtime<never>()
    const path = socketOf(data)
    const run = Runtime.runCallback(runtime)
    // One that a killed process left behind: the file's lock says that nobody else is there.
    yield* Effect.ignore(files.remove(path))
    yield* Effect.acquireRelease(
      Effect.async<Net.Server, DeskClosed>((resume) => {
        const server = Net.createServer((socket) => {
          socket.on("error", () => socket.destroy())
          onLine(socket, (line) => {
            const wish = parsed(line)
            if (wish === null) socket.destroy()
            else run(Effect.map(fulfil(keys, wish), (reply) => socket.end(`${JSON.stringify(reply)}\n`)))
          })
        })
        server.once("error", () => resume(new DeskClosed({ path })))
        server.listen(path, () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
    )
    yield* Effect.mapError(files.chmod(path, 0o600), () => new DeskClosed({ path }))
  })

/** Asks at the desk of a running service; `null` where none is open. */
export const ask = (data: string, wish: Wish): Effect.Effect<Reply | null> =>
  Effect.async((resume) => {
    const socket = Net.connect(socketOf(data))
    socket.once("error", () => resume(Effect.succeed(null)))
    socket.once("close", () => resume(Effect.succeed(null)))
    socket.once("connect", () => socket.write(`${JSON.stringify(wish)}\n`))
    onLine(socket, (line) => {
      resume(Effect.succeed(JSON.parse(line) as Reply))
      socket.destroy()
    })
    return Effect.sync(() => socket.destroy())
  })
