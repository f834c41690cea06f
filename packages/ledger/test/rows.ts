/** Rows, requests and outcomes for tests. */
import * as Enrollment from "@milepost/core/Enrollment"
import type * as Outcome from "@milepost/core/Outcome"
import * as Unenrollment from "@milepost/core/Unenrollment"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Entry from "../src/Entry.js"
import * as Ledger from "../src/Ledger.js"

export const milestone = (customerId: number, periodName: string, initialBalance?: Enrollment.InitialBalance): Entry.Request =>
  Either.getOrThrow(Enrollment.milestone({ targetGroupId: 2154, targetId: 2309, customerId, periodName, initialBalance }))

export const streak = (customerId: number, resetStreakStatus?: boolean): Entry.Request =>
  Either.getOrThrow(Enrollment.streak({ targetGroupId: 40, targetId: 41, customerId, resetStreakStatus }))

export const unenrollment = (customerId: number): Entry.Request =>
  Either.getOrThrow(Unenrollment.make({ targetGroupId: 2154, targetId: 2309, customerId }))

/** A good row whose line is one behind its number, as below a header. */
export const good = (row: number, ...requests: ReadonlyArray<Entry.Request>): Entry.ImportRow => ({
  row,
  line: row + 1,
  bytes: Buffer.from(`${requests.map(({ customerId }) => customerId).join("+")},"é\n"\r\n`),
  problem: null,
  calls: requests.map((request) => ({ request }))
})

export const bad = (row: number, problem: string): Entry.ImportRow => ({
  row,
  line: row + 1,
  bytes: Buffer.from([0xff, row % 256, 0x0a]),
  problem,
  calls: []
})

export const newRun = (id: string, lanes = 8): Ledger.NewRun => ({
  id,
  operation: "enroll",
  input: { name: "input.csv", format: "csv", header: Buffer.from("customerId\r\n"), size: null },
  options: { rate: "600/min" },
  lanes,
  parent: null
})

export const at = (line: number) => ({ line, bytes: line * 10, sha256: null })

export const input = { size: 4711, sha256: "ab".repeat(32) }

export const enrolled: Outcome.Accomplished = { outcome: "enrolled", warnings: [], attempts: 1, requestId: "r-1" }

export const warned: Outcome.Accomplished = {
  outcome: "enrolled",
  warnings: [{ code: 1, message: "late" }, { code: null, message: "\"quoted\"" }],
  attempts: 2,
  requestId: null
}

export const already: Outcome.AlreadyEnrolled = {
  outcome: "already_enrolled",
  code: 310119,
  message: "already enrolled",
  afterAmbiguousAttempt: false,
  attempts: 1,
  requestId: "r-2"
}

export const rejected: Outcome.Rejected = {
  outcome: "rejected",
  code: 310018,
  tag: "TargetNotFound",
  message: "no such target",
  blastRadius: "target",
  afterAmbiguousAttempt: false,
  attempts: 1,
  requestId: "r-3"
}

export const unknown: Outcome.Unknown = {
  outcome: "unknown",
  code: null,
  tag: "NoAnswer",
  message: "no answer within 30 s",
  attempts: 8,
  requestId: null
}

export const fused: Outcome.Skipped = { outcome: "skipped", reason: "fuse", message: "310018", notSent: null }

/** Imports rows as one batch and starts the run. */
export const started = (id: string, rows: ReadonlyArray<Entry.ImportRow>, lanes = 1) =>
  Effect.gen(function*() {
    const ledger = yield* Ledger.Ledger
    yield* ledger.begin(newRun(id, lanes))
    yield* ledger.append(id, rows, at(rows.length + 2))
    yield* ledger.finishImport(id, input)
    const { epoch } = yield* ledger.start(id)
    return { ledger, epoch, claim: (limit = 100, lane = 0) => ledger.claim(id, { epoch, lane, limit }) }
  })
