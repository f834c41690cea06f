import { assert, describe, it } from "@effect/vitest"
import { wantedBy } from "./rendezvous.js"

const lanes = Array.from({ length: 64 }, (_, lane) => lane)

const dealt = (members: ReadonlyArray<string>) => wantedBy(members, lanes.length)

describe("lanes among members", () => {
  it("are the same for everybody, in whatever order the members are seen", () => {
    assert.deepStrictEqual(dealt(["a", "b", "c"]), dealt(["c", "a", "b"]))
  })

  it("come to every member in an equal share, ids that differ in one letter included", () => {
    for (const members of [["replica-1", "replica-2"], ["replica-1", "replica-2", "replica-3"], ["7f3a", "7f3b", "7f3c", "7f3d", "7f3e"]]) {
      for (const member of members) {
        const its = dealt(members).filter((wanted) => wanted === member).length
        const share = Math.ceil(64 / members.length)
        assert.isAtMost(its, share, `${member} of ${members.length}`)
        assert.isAtLeast(its, 64 - share * (members.length - 1), `${member} of ${members.length}`)
      }
    }
  })

  it("move to who comes and from who goes, and hardly any between those who stay", () => {
    for (const [come, members] of [["d", ["a", "b", "c"]], ["9f", ["1a", "2b"]], ["replica-4", ["replica-1", "replica-2", "replica-3"]]] as const) {
      const before = dealt(members)
      const after = dealt([...members, come])
      const between = lanes.filter((lane) => after[lane] !== before[lane] && after[lane] !== come)
      assert.isAtMost(between.length, 6, `${come} to ${members.join()}`)
      assert.isAtMost(lanes.filter((lane) => after[lane] === come).length, Math.ceil(64 / (members.length + 1)))
    }
  })

  it("are nobody's when there are no members", () => {
    assert.deepStrictEqual(dealt([]), lanes.map(() => null))
  })
})
