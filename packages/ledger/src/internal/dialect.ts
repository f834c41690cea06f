/** Everything that differs between the databases that a ledger can lie in: column types, placeholders, what their errors mean. */
import type { SqlError } from "@effect/sql/SqlError"
import { LedgerBusy, LedgerDamaged, LedgerUnwritable, type StorageError } from "../LedgerError.js"

/** What a database wants to be told in its own words, and what it says. */
export interface Dialect {
  /** A column that numbers its rows by itself. */
  readonly identity: string
  readonly bytes: string
  /** What follows a table whose primary key is its order on disk. */
  readonly clustered: string
  /** Behind a table's name: the index to be used, where the database would choose another. */
  readonly by: (index: string) => string
  /** The placeholder of the parameter at this position, from 1. */
  readonly placeholder: (position: number) => string
  /** How many rows a statement has changed, from what its client says of it. */
  readonly changes: (raw: unknown) => number
  /** What an error of the database means; `null` for a statement of ours that is wrong. */
  readonly meaning: (error: SqlError) => StorageError | null
}

interface Coded {
  readonly code?: unknown
}

/** What SQLite says about itself, without the file's content and our statements. */
const reasons: ReadonlyArray<readonly [prefix: string, reason: string]> = [
  ["SQLITE_FULL", "the disk is full"],
  ["SQLITE_READONLY", "it is read-only"],
  ["SQLITE_CANTOPEN", "it cannot be opened or created"],
  ["SQLITE_PERM", "access is denied"],
  ["SQLITE_AUTH", "access is denied"],
  ["SQLITE_TOOBIG", "a row is too long"],
  ["SQLITE_NOMEM", "there is no memory left"],
  ["SQLITE_IOERR_WRITE", "a write failed: the disk may be full"],
  ["SQLITE_IOERR_FSYNC", "the disk did not confirm a write"],
  ["SQLITE_IOERR", "the disk failed"]
]

const damage: Readonly<Record<string, string>> = {
  SQLITE_CORRUPT: "its content contradicts itself, or is cut off",
  SQLITE_NOTADB: "it is no ledger",
  SQLITE_IOERR_SHORT_READ: "it is cut off"
}

/** SQLite, by way of libsql. */
export const sqlite = (path: string, holder: () => number | null): Dialect => ({
  identity: "INTEGER PRIMARY KEY AUTOINCREMENT",
  bytes: "BLOB",
  clustered: "WITHOUT ROWID",
  // It takes a range of the primary key for better than the few open records within that range.
  by: (index) => `INDEXED BY ${index}`,
  placeholder: (position) => `?${position}`,
  changes: (raw) => Number((raw as { readonly changes: number }).changes),
  meaning: ({ cause }) => {
    const code = typeof cause === "object" && cause !== null ? (cause as Coded).code : undefined
    if (typeof code !== "string" || code === "") {
      // A file that libsql could not open has no code.
      return cause instanceof Error && cause.message.includes("ConnectionFailed")
        ? new LedgerUnwritable({ path, reason: "it cannot be opened or created" })
        : null
    }
    if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return new LedgerBusy({ path, pid: holder() })
    const damaged = Object.entries(damage).find(([prefix]) => code.startsWith(prefix))
    if (damaged !== undefined) return new LedgerDamaged({ path, reason: damaged[1] })
    const found = reasons.find(([prefix]) => code.startsWith(prefix))
    return found === undefined ? null : new LedgerUnwritable({ path, reason: `${found[1]} (${code})` })
  }
})

/**
 * `(7, ?, ?), (7, ?, ?)`: as many rows of the pattern, in which `null` is a parameter and a text stands as it is.
 */
export const tuples = (dialect: Dialect, pattern: ReadonlyArray<string | null>, rows: number): string => {
  let position = 0
  const tuple = (): string => `(${pattern.map((cell) => cell ?? dialect.placeholder(++position)).join(", ")})`
  return Array.from({ length: rows }, tuple).join(", ")
}
