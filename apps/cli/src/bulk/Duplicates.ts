/**
 * Finds rows that ask for what an earlier row asked for already, exactly and with flat memory.
 *
 * Rows are dealt by customer into partitions that overflow to disk; at the end each partition is looked at alone. A
 * million rows are 16 MB of files, whatever the memory.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

const partitions = 64
/** customerId (8 bytes), combination (4), line (4). */
const entryBytes = 16
const entriesHeld = 4096

/** Lines that repeat an earlier one, ascending, each with that earlier line. */
export interface Found {
  readonly count: number
  /** How many of them ask for this combination, in the words of {@link Finder.add}. */
  readonly countOf: (combination: string) => number
  /** The earlier line that `line` repeats, or `undefined`. Ask in ascending order of lines. */
  readonly firstOf: (line: number) => number | undefined
}

/** Collects rows, then says which repeat which. */
export interface Finder {
  /** Notes a row: its line, its customer, and everything else that makes it the same, as a text. */
  readonly add: (line: number, customerId: number, combination: string) => void
  /** Moves full partitions to disk; call it between batches. */
  readonly overflow: Effect.Effect<void, PlatformError>
  readonly finish: Effect.Effect<Found, PlatformError>
}

interface Partition {
  view: DataView
  held: number
  file: FileSystem.File | null
}

interface Repeat {
  readonly line: number
  readonly first: number
  readonly combination: number
}

const repeats = (views: ReadonlyArray<DataView>): ReadonlyArray<Repeat> => {
  const seen = new Map<string, number>()
  const found: Array<Repeat> = []
  for (const view of views) {
    for (let at = 0; at < view.byteLength; at += entryBytes) {
      const combination = view.getUint32(at + 8)
      const key = `${view.getFloat64(at)}/${combination}`
      const line = view.getUint32(at + 12)
      const first = seen.get(key)
      if (first === undefined) seen.set(key, line)
      else found.push({ line, first, combination })
    }
  }
  return found
}

const foundOf = (all: ReadonlyArray<Repeat>, combinations: ReadonlyMap<string, number>): Found => {
  const ascending = all.toSorted((left, right) => left.line - right.line)
  const lines = Float64Array.from(ascending, ({ line }) => line)
  const firsts = Float64Array.from(ascending, ({ first }) => first)
  const counts = new Map<number, number>()
  for (const { combination } of all) counts.set(combination, (counts.get(combination) ?? 0) + 1)
  let next = 0
  return {
    count: lines.length,
    countOf: (combination) => counts.get(combinations.get(combination) ?? -1) ?? 0,
    firstOf: (line) => {
      while (next < lines.length && (lines[next] ?? Infinity) < line) next += 1
      return lines[next] === line ? firsts[next] : undefined
    }
  }
}

/** Makes a finder that overflows into a temporary folder, which is removed with the scope. */
export const make: Effect.Effect<Finder, PlatformError, FileSystem.FileSystem | Scope.Scope> = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const scope = yield* Effect.scope
  const combinations = new Map<string, number>()
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
    add: (line, customerId, combination) => {
      let id = combinations.get(combination)
      if (id === undefined) {
        id = combinations.size
        combinations.set(combination, id)
      }
      const part = parts[customerId % partitions]
      if (part === undefined) return
      const at = part.held * entryBytes
      if (at === part.view.byteLength) grow(part)
      part.view.setFloat64(at, customerId)
      part.view.setUint32(at + 8, id)
      part.view.setUint32(at + 12, line)
      part.held += 1
    },
    overflow: Effect.forEach(
      parts,
      (part, index) => part.held >= entriesHeld ? spill(part, index) : Effect.void,
      { discard: true }
    ),
    finish: Effect.map(
      Effect.forEach(parts, (part) =>
        Effect.map(spilled(part), (view) => repeats([view, new DataView(part.view.buffer, 0, part.held * entryBytes)]))),
      (found) => foundOf(found.flat(), combinations)
    )
  }
})
