import { assert, describe, it } from "@effect/vitest"
import * as Wire from "@milepost/core/Wire"
import * as Either from "effect/Either"
import * as Records from "./Records.js"
import type { Column, Field, Header, Readable } from "./Row.js"
import { columns } from "./Row.js"

const none: Records.Defaults = {
  targetGroupId: undefined,
  targetId: undefined,
  periodNames: [],
  initialBalance: undefined,
  resetStreakStatus: undefined
}

const header: Header = {
  names: [...columns],
  positions: new Map(columns.map((column, index) => [column, index + 1])),
  bytes: new Uint8Array(0)
}

const row = (fields: Partial<Record<Column, Field>>): Readable => ({
  _tag: "Readable",
  line: 7,
  fields: { customerId: "17", targetGroupId: "2154", targetId: "2309", ...fields } as Record<Column, Field>,
  cells: [],
  bytes: new Uint8Array(0)
})

const bodies = (fields: Partial<Record<Column, Field>>, defaults: Records.Defaults = none): ReadonlyArray<string> | string =>
  Either.match(Records.reader("enroll", defaults)(header, row(fields)), {
    onLeft: ({ message }) => message,
    onRight: (requests) => requests.map((request) => request._tag === "Unenrollment" ? "" : Wire.enrollBody(request))
  })

describe("Records", () => {
  it.each<readonly [string, Field, string]>([
    ["an empty cell is absent", "", "[{\"customerId\":17,\"periodName\":\"C\"}]"],
    ["null is null", "null", "[{\"customerId\":17,\"periodName\":\"C\",\"initialBalance\":null}]"],
    ["resume is null", "Resume", "[{\"customerId\":17,\"periodName\":\"C\",\"initialBalance\":null}]"],
    ["JSON's null is null", null, "[{\"customerId\":17,\"periodName\":\"C\",\"initialBalance\":null}]"],
    ["zero is zero", "0", "[{\"customerId\":17,\"periodName\":\"C\",\"initialBalance\":0}]"],
    ["a number is a number", 250, "[{\"customerId\":17,\"periodName\":\"C\",\"initialBalance\":250}]"]
  ])("from the cell of initialBalance to the wire: %s", (_, initialBalance, body) => {
    assert.deepStrictEqual(bodies({ periodName: "C", initialBalance }), [body])
  })

  it("a row without a period is a streak, and may reset it", () => {
    assert.deepStrictEqual(bodies({ periodName: "", resetStreakStatus: "TRUE" }), ["[{\"customerId\":17,\"resetStreakStatus\":true}]"])
  })

  it("flags fill columns that are missing, never cells that are empty", () => {
    const defaults = { ...none, periodNames: ["C1", "C2"], initialBalance: null }
    assert.deepStrictEqual(bodies({}, defaults), [
      "[{\"customerId\":17,\"periodName\":\"C1\",\"initialBalance\":null}]",
      "[{\"customerId\":17,\"periodName\":\"C2\",\"initialBalance\":null}]"
    ])
    assert.deepStrictEqual(bodies({ periodName: "", initialBalance: "" }, defaults), ["[{\"customerId\":17}]"])
  })

  it.each<readonly [Partial<Record<Column, Field>>, string]>([
    [{ customerId: "9007199254740993" }, "line 7, column 1 (customerId): \"9007199254740993\" is beyond 9007199254740991"],
    [{ customerId: "-3" }, "line 7, column 1 (customerId): \"-3\" is negative"],
    [{ customerId: 9007199254740992 }, "line 7, column 1 (customerId): \"9007199254740992\""],
    [{ targetId: "x" }, "line 7, column 6 (targetId): \"x\" is not a whole number"],
    [{ initialBalance: "100" }, "line 7, column 3 (initialBalance): \"100\" does not apply to a streak"],
    [{ periodName: "C", initialBalance: "1e3" }, "line 7, column 3 (initialBalance): \"1e3\" is neither"],
    [{ periodName: "C", resetStreakStatus: "true" }, "line 7, column 4 (resetStreakStatus): \"true\" does not apply to a milestone"],
    [{ resetStreakStatus: "yes" }, "line 7, column 4 (resetStreakStatus): \"yes\" is neither true nor false"]
  ])("%j is told with line, column, field and value", (fields, start) => {
    const problem = bodies(fields)
    assert.isTrue(typeof problem === "string" && problem.startsWith(start), String(problem))
  })

  it("exact ids stay exact up to 2^53-1", () => {
    const enrollments = Either.getOrThrow(Records.reader("enroll", none)(header, row({ customerId: "9007199254740991" })))
    assert.deepStrictEqual(enrollments.map((enrollment) => enrollment.customerId), [9007199254740991])
  })

  it("for an un-enrolment only the ids count, and they are checked the same way", () => {
    const read = Records.reader("unenroll", none)
    const [unenrollment] = Either.getOrThrow(read(header, row({ periodName: "C", initialBalance: "x" })))
    assert.strictEqual(JSON.stringify(unenrollment), "{\"_tag\":\"Unenrollment\",\"targetGroupId\":2154,\"targetId\":2309,\"customerId\":17}")
    assert.deepStrictEqual(
      read(header, row({ customerId: "" })),
      Either.left({
        line: 7,
        column: "customerId",
        value: "",
        reason: "is empty; a whole number is needed",
        message: "line 7, column 1 (customerId): \"\" is empty; a whole number is needed"
      })
    )
  })

  it("a row that could not be read has no column that is wrong", () => {
    const bad = { _tag: "Unreadable", line: 3, problem: "line 3: has 1 cell where the header has 2", cells: [], bytes: new Uint8Array(0) } as const
    assert.deepStrictEqual(
      Records.reader("enroll", none)(header, bad),
      Either.left({ line: 3, column: null, value: null, reason: "has 1 cell where the header has 2", message: bad.problem })
    )
  })
})
