/**
 * Who holds a ledger: a file beside it with the pid of its process.
 *
 * The lock itself is the database's, and ends with the process; the file only says whose it is. It is never read from
 * the ledger: a process that closes any handle of a file loses its locks on it.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import process from "node:process"

const beside = (path: string): string => `${path}.pid`

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It lives, and belongs to somebody else.
    return (error as { readonly code?: unknown }).code === "EPERM"
  }
}

/** The process that says it holds the ledger; `null` when nobody says so, or who said so is gone. */
export const read = (path: string): number | null => {
  try {
    const pid = Number(readFileSync(beside(path), "utf8").trim())
    return Number.isSafeInteger(pid) && pid > 0 && isAlive(pid) ? pid : null
  } catch {
    return null
  }
}

/** Says that this process holds the ledger. A pid that cannot be written costs a refused process its name, no more. */
export const write = (path: string): void => {
  try {
    writeFileSync(beside(path), `${process.pid}\n`)
  } catch {
    // The lock holds without it.
  }
}

/** Says that nobody holds the ledger. */
export const clear = (path: string): void => {
  try {
    rmSync(beside(path), { force: true })
  } catch {
    // The pid will be stale, and seen to be.
  }
}
