import { assert, describe, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Ledger from "../src/Ledger.js"
import * as LibsqlLedger from "../src/LibsqlLedger.js"
import { at, good, input, newRun, streak } from "./rows.js"
import { freshPath, worker } from "./workers.js"

const open = (path: string, create = true) => Effect.scoped(LibsqlLedger.make({ path, create }))

/** A ledger with a run of a few hundred kilobytes. */
const filled = (path: string) =>
  Effect.gen(function*() {
    const ledger = yield* Ledger.Ledger
    yield* ledger.begin(newRun("a"))
    for (let from = 0; from < 4000; from += 500) {
      const rows = Array.from({ length: 500 }, (_, index) => good(from + index + 1, streak(from + index + 1)))
      yield* ledger.append("a", rows, at(from))
    }
    yield* ledger.finishImport("a", input)
  }).pipe(Effect.provide(LibsqlLedger.layer({ path })))

const read = (path: string) =>
  Effect.flatMap(Ledger.Ledger, (ledger) => Stream.runDrain(ledger.results("a"))).pipe(
    Effect.provide(LibsqlLedger.layer({ path }))
  )

describe("LibsqlLedger and its file", () => {
  it.scopedLive("a second process is refused and told who holds it; once that one is killed, the next may", () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      const { child, ended, said } = yield* worker(path, ["hold"])
      yield* said("held")
      const refused = yield* Effect.flip(open(path))
      assert.deepInclude(refused, { _tag: "LedgerBusy", pid: child.pid ?? 0 })
      assert.strictEqual(refused.message, `${path}: is held by process ${child.pid}`)
      child.kill("SIGKILL")
      yield* ended
      yield* open(path)
    }))

  it.scopedLive("a second opening in the same process is refused, and the first goes on", () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      yield* Effect.gen(function*() {
        const ledger = yield* Ledger.Ledger
        assert.deepInclude(yield* Effect.flip(open(path)), { _tag: "LedgerBusy", pid: process.pid })
        yield* ledger.begin(newRun("a"))
        // The refused one has not taken the lock away when it closed.
        const other = yield* worker(path, ["hold"])
        assert.include((yield* other.ended)[0] ?? "", `E LedgerBusy ${path}: is held by process ${process.pid}`)
      }).pipe(Effect.provide(LibsqlLedger.layer({ path })))
    }))

  it.scopedLive("one that was closed is one file, and opens again in the same process", () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      yield* filled(path)
      assert.throws(() => statSync(`${path}-wal`))
      assert.throws(() => statSync(`${path}.pid`))
      yield* read(path)
      const refused = yield* worker(path, ["hold"])
      yield* refused.said("held")
    }))

  it.scopedLive("a pid of nobody is not repeated", () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      const { said } = yield* worker(path, ["hold"])
      yield* said("held")
      writeFileSync(`${path}.pid`, "999999999\n")
      assert.deepInclude(yield* Effect.flip(open(path)), { _tag: "LedgerBusy", pid: null })
      writeFileSync(`${path}.pid`, "")
      assert.include((yield* Effect.flip(open(path))).message, "is held by another process")
    }))

  it.scopedLive("a ledger of a newer version is refused, and stays what it is", () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      yield* Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO ledger_migrations (migration_id, name) VALUES (99, 'later')`).pipe(
        Effect.provide(LibsqlLedger.layer({ path }))
      )
      for (let again = 0; again < 2; again++) {
        assert.deepInclude(yield* Effect.flip(open(path)), { _tag: "LedgerTooNew", found: 99, known: 2 })
      }
    }))

  it.scopedLive("a file that is cut off is damaged, wherever it is cut", () =>
    Effect.gen(function*() {
      for (const part of [0.1, 0.5, 0.9]) {
        const path = yield* freshPath
        yield* filled(path)
        truncateSync(path, Math.floor(statSync(path).size * part))
        assert.strictEqual((yield* Effect.flip(read(path)))._tag, "LedgerDamaged")
      }
    }))

  it.scopedLive("a file that is no database is damaged", () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      writeFileSync(path, "customerId,periodName\n".repeat(500))
      assert.strictEqual((yield* Effect.flip(open(path))).message, `${path}: is damaged: it is no ledger`)
    }))

  it.scopedLive("where there is no ledger, none is made unless asked for", () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      assert.strictEqual((yield* Effect.flip(open(path, false)))._tag, "LedgerMissing")
      writeFileSync(path, "")
      assert.strictEqual((yield* Effect.flip(open(path, false)))._tag, "LedgerMissing")
      yield* filled(path)
      yield* open(path, false)
    }))

  it.scopedLive("a folder that is none, or is not there, cannot be written", () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      writeFileSync(path, "a file")
      for (const impossible of [join(path, "ledger.db"), join(path, "..", "none", "ledger.db"), join(path, "..")]) {
        assert.strictEqual((yield* Effect.flip(open(impossible)))._tag, "LedgerUnwritable")
      }
    }))

  it.scopedLive("a full disk is an error by name; what was durable is there, and the import goes on", () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      // A file may grow to 600 kB: the same as a disk with that much left.
      const { ended } = yield* worker(path, ["fill"], "trap '' XFSZ; ulimit -f 600")
      const lines = yield* ended
      const last = Number(lines.findLast((line) => line.startsWith("I "))?.slice(2))
      assert.match(lines.at(-1) ?? "", /^E LedgerUnwritable .*: cannot be written: /)
      assert.isAbove(last, 0)
      yield* Effect.gen(function*() {
        const ledger = yield* Ledger.Ledger
        const sql = yield* SqlClient
        assert.deepStrictEqual(yield* sql`PRAGMA integrity_check`, [{ integrity_check: "ok" }])
        const run = yield* ledger.run("k")
        assert.strictEqual(run.checkpoint.row, last)
        assert.strictEqual(run.state, "importing")
        yield* ledger.append("k", [good(last + 1, streak(999_999))], at(1))
        assert.strictEqual((yield* ledger.finishImport("k", input)).rows, last + 1)
      }).pipe(Effect.provide(LibsqlLedger.layer({ path })))
    }))
})
