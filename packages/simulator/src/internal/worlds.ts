/**
 * Worlds side by side on one server: each a simulator of its own, chosen by a header or by the beginning of the path.
 *
 * They share the rules and paths that the server's own simulator was made with, and nothing else: state, clock, faults,
 * journal and tokens are of each alone, and there are no faults at the start.
 */
import * as Effect from "effect/Effect"
import type { HttpRequest, Service } from "../Simulator.js"
import type { World } from "../World.js"

/** The header that names a world. */
export const header = "x-milepost-world"

/** What a path that names a world begins with. */
const prefix = "/__world/"

const wellNamed = /^[A-Za-z0-9._-]{1,100}$/

/** Whether a world can be called so: it stands in paths and headers. */
export const isName = (name: string): boolean => wellNamed.test(name)

/** The worlds of a server, beside the one that it serves without a name. */
export interface Worlds {
  readonly get: (name: string) => Service | undefined
  /** Makes one, or makes it anew. */
  readonly put: (name: string, world: World, seed: number | undefined) => Effect.Effect<void>
  /** `false` where there was none. */
  readonly remove: (name: string) => boolean
  readonly list: () => ReadonlyArray<readonly [name: string, simulator: Service]>
}

/** No worlds yet, beside a simulator. */
export const make = (simulator: Service): Worlds => {
  const named = new Map<string, Service>()
  return {
    get: (name) => named.get(name),
    put: (name, world, seed) =>
      Effect.map(simulator.beside(world, { name, seed, faults: [] }), (another) => void named.set(name, another)),
    remove: (name) => named.delete(name),
    list: () => [...named]
  }
}

/** Which world a call is for, `null` for the one without a name, and its path there. */
export const chosen = (headers: HttpRequest["headers"], path: string): { readonly name: string | null; readonly path: string } => {
  if (path.startsWith(prefix)) {
    const end = path.indexOf("/", prefix.length)
    return end === -1
      ? { name: path.slice(prefix.length), path: "/" }
      : { name: path.slice(prefix.length, end), path: path.slice(end) }
  }
  const named = headers[header]
  return { name: typeof named === "string" ? named : null, path }
}
