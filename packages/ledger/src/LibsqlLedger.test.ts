import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { LedgerSuite } from "../test/LedgerSuite.js"
import * as LibsqlLedger from "./LibsqlLedger.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ledger-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

LedgerSuite(
  "LibsqlLedger",
  Layer.unwrapScoped(Effect.map(folder, (path) => Layer.fresh(LibsqlLedger.layer({ path: join(path, "ledger.db") }))))
)
