/**
 * Counts calls that an earlier row has asked for already, exactly and with flat memory.
 *
 * Calls are dealt by customer into partitions that overflow to disk; at the end each partition is looked at alone. A
 * million calls are 12 MB of files, whatever the memory.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

const partitions = 64
/** customerId (8 bytes), place (4). */
const entryBytes = 12
const entriesHeld = 4096

/** What repeats something earlier. */
export interface Found {
  readonly count: number
  /** How many of them go to this place, in the words of {@link Finder.add}. */
  readonly countOf: (place: string) => number
}

/** Collects calls, then says how many repeat another one. */
export interface Finder {
  /** Notes a call: its customer, and everything else that makes it the same, as a text. */
  readonly add: (customerId: number, place: string) => void
  /** Moves full partitions to disk; call it between batches. */
  readonly overflow: Effect.Effect<void, PlatformError>
  readonly finish: Effect.Effect<Found, PlatformError>
}

interface Partition {
  view: DataView
  held: number
  file: FileSystem.File | null
}

/** Adds how many calls of a partition repeat another one of it, by place. */
const countRepeats = (views: ReadonlyArray<DataView>, counts: Map<number, number>): void => {
  const seen = new Set<string>()
  for (const view of views) {
    for (let at = 0; at < view.byteLength; at += entryBytes) {
      const place = view.getUint32(at + 8)
      const key = `${view.getFloat64(at)}/${place}`
      if (seen.has(key)) counts.set(place, (counts.get(place) ?? 0) + 1)
      else seen.add(key)
    }
  }
}

/** Makes a finder that overflows into a temporary folder, which is removed with the scope. */
export const make: Effect.Effect<Finder, PlatformError, FileSystem.FileSystem | Scope.Scope> = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const scope = yield* Effect.scope
  const places = new Map<string, number>()
  const parts: ReadonlyArray<Partition> = Array.from({ length: partitions }, () => ({
    view: new DataView(new ArrayBuffer(entriesHeld * entryBytes)),
    held: 0,
    file: null
  }))
  let folder: string | null = null

  const grow = (part: Partition): void => {
    const bigger = new Uint8Array(part.view.byteLength * 2)
    bigger.set(new Uint8Array(part.view.buffer))
    part.view = new DataView(bigger.buffer)
  }

  const heldBytes = (part: Partition): Uint8Array => new Uint8Array(part.view.buffer, 0, part.held * entryBytes)

  const spill = (part: Partition, index: number): Effect.Effect<void, PlatformError> =>
    Effect.gen(function*() {
      folder ??= yield* files.makeTempDirectoryScoped({ prefix: "milepost-duplicates-" })
      part.file ??= yield* files.open(`${folder}/${index}`, { flag: "w+" })
      yield* part.file.writeAll(heldBytes(part))
      part.held = 0
    }).pipe(Scope.extend(scope))

  const spilled = (part: Partition): Effect.Effect<DataView, PlatformError> =>
    Effect.gen(function*() {
      if (part.file === null) return new DataView(new ArrayBuffer(0))
      const { size } = yield* part.file.stat
      const bytes = new Uint8Array(Number(size))
      yield* part.file.seek(0n, "start")
      for (let at = 0; at < bytes.length;) {
        const read = Number(yield* part.file.read(bytes.subarray(at)))
        if (read === 0) break
        at += read
      }
      return new DataView(bytes.buffer)
    })

  return {
    add: (customerId, place) => {
      let id = places.get(place)
      if (id === undefined) {
        id = places.size
        places.set(place, id)
      }
      const part = parts[customerId % partitions]
      if (part === undefined) return
      const at = part.held * entryBytes
      if (at === part.view.byteLength) grow(part)
      part.view.setFloat64(at, customerId)
      part.view.setUint32(at + 8, id)
      part.held += 1
    },
    overflow: Effect.forEach(
      parts,
      (part, index) => part.held >= entriesHeld ? spill(part, index) : Effect.void,
      { discard: true }
    ),
    finish: Effect.gen(function*() {
      const counts = new Map<number, number>()
      for (const part of parts) {
        countRepeats([yield* spilled(part), new DataView(part.view.buffer, 0, part.held * entryBytes)], counts)
      }
      return {
        count: [...counts.values()].reduce((sum, count) => sum + count, 0),
        countOf: (place) => counts.get(places.get(place) ?? -1) ?? 0
      }
    })
  }
})
