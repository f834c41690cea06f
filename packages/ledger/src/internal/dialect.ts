/** Everything that differs between the databases that a ledger can lie in: column types, placeholders, what their errors mean. */
import type { SqlError } from "@effect/sql/SqlError"
import { LedgerBusy, LedgerDamaged, LedgerUnwritable, type StorageError } from "../LedgerError.js"
import { analyze } from "./postgresSchema.js"

/** A cell of a bulk statement's rows: a parameter of this type, or a text that stands as it is. */
export type Cell = "BIGINT" | "BYTEA" | "INTEGER" | "SMALLINT" | "TEXT" | { readonly is: string }

/** What a database wants to be told in its own words, and what it says. */
export interface Dialect {
  /** Behind a SELECT in a transaction that is going to change what it reads: nobody else may before it has ended. */
  readonly forUpdate: string
  /** Whether the pending records of each lane are counted beside them: see `lanes.ts`. Else an index finds them. */
  readonly hasLanes: boolean
  /** The placeholder of the parameter at this position, from 1. */
  readonly placeholder: (position: number) => string
  /** How many of so many rows the next statement takes. */
  readonly part: (rows: number) => number
  /** How many parameters so many rows of the pattern make. */
  readonly parameters: (pattern: ReadonlyArray<Cell>, rows: number) => number
  /** So many rows of the pattern, as a query. */
  readonly rows: (pattern: ReadonlyArray<Cell>, rows: number) => string
  /** The parameters of rows. */
  readonly values: (rows: ReadonlyArray<ReadonlyArray<unknown>>) => Array<unknown>
  /**
   * The number of a run where a join compares it beside a number of `v`.
   *
   * PostgreSQL, before it knows a table, takes what one run has for less than what is joined, and reads all of that.
   */
  readonly runBeside: (run: string, number: string) => string
  /** A sum of attempts as it is stored. */
  readonly attempts: (sum: string) => string
  /** How a request id is assigned to its columns, and how it is read from them. */
  readonly requestId: { readonly assign: (value: string) => string; readonly read: string }
  /** The line that a row begins on as it is stored; read back, no line is the one behind the row's number. */
  readonly line: (line: number, row: number) => number | null
  /** What is to be said when an import has ended. */
  readonly afterImport: ReadonlyArray<string>
  /** A text of somebody else's as it can be stored. */
  readonly text: (text: string) => string
  /** How many rows a statement has changed, from what its client says of it. */
  readonly changes: (raw: unknown) => number
  /** What an error of the database means; `null` for a statement of ours that is wrong. */
  readonly meaning: (error: SqlError) => StorageError | null
  /** Whether the same transaction may succeed when it is tried again: two stood in each other's way. */
  readonly isCollision: (error: SqlError) => boolean
}

interface Coded {
  readonly code?: unknown
}

const parameters = (pattern: ReadonlyArray<Cell>): ReadonlyArray<string> =>
  pattern.filter((cell): cell is Extract<Cell, string> => typeof cell === "string")

const codeOf = (cause: unknown): string | null => {
  const code = typeof cause === "object" && cause !== null ? (cause as Coded).code : undefined
  return typeof code === "string" && code !== "" ? code : null
}

/** PostgreSQL refuses this character, and libsql cuts a text off at it. */
const withoutNull = (value: unknown): unknown =>
  typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", "\uFFFD") : value

/** Two transactions that waited for each other, or one that waited for a lock for too long. */
const isCollision = ({ cause }: SqlError): boolean => {
  const code = codeOf(cause)
  return code === "40001" || code === "40P01" || code === "55P03"
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
  // A transaction has the database to itself.
  forUpdate: "",
  hasLanes: false,
  placeholder: (position) => `?${position}`,
  // Powers of two: few texts of statements, which stay prepared, whatever the number of rows.
  part: (rows) => Math.min(512, 2 ** Math.floor(Math.log2(rows))),
  parameters: (pattern, rows) => parameters(pattern).length * rows,
  // `VALUES (7, ?1, ?2), (7, ?3, ?4)`.
  rows: (pattern, rows) => {
    let position = 0
    const tuple = (): string => `(${pattern.map((cell) => typeof cell === "object" ? cell.is : `?${++position}`).join(", ")})`
    return `VALUES ${Array.from({ length: rows }, tuple).join(", ")}`
  },
  // By a loop, because `flat` stood out in profiles.
  values: (rows) => {
    const params: Array<unknown> = []
    for (const row of rows) for (const value of row) params.push(withoutNull(value))
    return params
  },
  runBeside: (run) => run,
  attempts: (sum) => sum,
  requestId: { assign: (value) => `request_id = ${value}`, read: "r.request_id" },
  line: (line) => line,
  afterImport: [],
  text: (text) => String(withoutNull(text)),
  changes: (raw) => Number((raw as { readonly changes: number }).changes),
  meaning: ({ cause }) => {
    const code = codeOf(cause)
    if (code === null) {
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
  },
  isCollision: () => false
})

/** What PostgreSQL says about itself, by the beginning of its code. */
const postgresReasons: ReadonlyArray<readonly [prefix: string, reason: string]> = [
  ["08", "the database cannot be reached"],
  // It shuts down, starts, or was told to end the session; 57014 is a statement that took too long.
  ["57014", "the database did not answer in time"],
  ["57", "the database cannot be reached"],
  ["53100", "the disk is full"],
  ["53200", "there is no memory left"],
  ["53300", "the database has no connection left"],
  ["53", "the database is out of resources"],
  ["58", "the disk failed"],
  ["25P03", "the database waited too long for this process"],
  ["25P04", "the database waited too long for this process"],
  ["25006", "it is read-only"],
  ["28", "access is denied"],
  ["3D000", "there is no such database"],
  ["42501", "access is denied"]
]

/** What `pg` says without a code when a connection ends, or never begins. */
const lost = /^(Connection terminated|Client (was closed|has encountered a connection error|has already been)|timeout |Query read timeout|The server does not support SSL|No client returned|Cannot use a pool after|Failed to )/

/** A UUID as PostgreSQL writes it, so that it is read back as it came. */
const uuid = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

const unreachable = "the database cannot be reached"

/** PostgreSQL, by way of `pg`; `name` is what errors call it, without any user. */
export const postgres = (name: string): Dialect => ({
  forUpdate: "FOR UPDATE",
  hasLanes: true,
  placeholder: (position) => `$${position}`,
  // A parameter is a column, so that one text, which is short, serves every number of rows.
  part: (rows) => Math.min(16_384, rows),
  parameters: (pattern) => parameters(pattern).length,
  rows: (pattern) => {
    const columns = parameters(pattern)
    const names = columns.map((_, index) => `c${index + 1}`)
    let position = 0
    const cells = pattern.map((cell) => typeof cell === "object" ? cell.is : `u.c${++position}`)
    return `SELECT ${cells.join(", ")} FROM unnest(${columns.map((type, index) => `$${index + 1}::${type}[]`).join(", ")}) AS u (${names.join(", ")})`
  },
  values: (rows) => {
    const width = rows[0]?.length ?? 0
    return Array.from({ length: width }, (_, column) => rows.map((row) => withoutNull(row[column])))
  },
  runBeside: (run, number) => `CASE WHEN ${number} IS NOT NULL THEN CAST(${run} AS INTEGER) END`,
  attempts: (sum) => `LEAST(${sum}, 32767)`,
  // A UUID, which it nearly always is, takes 16 bytes instead of 37.
  requestId: {
    assign: (value) =>
      `request_uuid = CASE WHEN ${value} ~ '${uuid}' THEN CAST(${value} AS UUID) END,
      request_id = CASE WHEN ${value} ~ '${uuid}' THEN NULL ELSE ${value} END`,
    read: "COALESCE(r.request_id, CAST(r.request_uuid AS TEXT)) AS request_id"
  },
  line: (line, row) => line === row + 1 ? null : line,
  afterImport: analyze,
  text: (text) => String(withoutNull(text)),
  changes: (raw) => Number((raw as { readonly rowCount: number | null }).rowCount ?? 0),
  meaning: (error) => {
    if (isCollision(error)) return new LedgerBusy({ path: name, pid: null })
    const { cause } = error
    const code = codeOf(cause)
    if (code === null) {
      const isLost = cause instanceof Error && lost.test(cause.message)
      return isLost ? new LedgerUnwritable({ path: name, reason: unreachable }) : null
    }
    if (code.startsWith("XX001") || code.startsWith("XX002")) return new LedgerDamaged({ path: name, reason: `its content contradicts itself (${code})` })
    const found = postgresReasons.find(([prefix]) => code.startsWith(prefix))
    if (found !== undefined) return new LedgerUnwritable({ path: name, reason: `${found[1]} (${code})` })
    // Five letters are PostgreSQL's, the rest comes from the network: ECONNREFUSED, ENOTFOUND, a certificate.
    return /^[0-9A-Z]{5}$/.test(code) && code !== "EPIPE" ? null : new LedgerUnwritable({ path: name, reason: `${unreachable} (${code})` })
  },
  isCollision
})
