import { describe, expect, it } from "@effect/vitest"
import { codes, statuses } from "../test/EveryError.js"
import * as ErrorCatalog from "./ErrorCatalog.js"

describe("the catalogue", () => {
  it("lists the codes, then the statuses, each once", () => {
    expect(ErrorCatalog.entries.map(({ code, kind, tag }) => ({ code, kind, tag }))).toEqual([
      ...codes.map(({ code, tag }) => ({ code, kind: "code", tag })),
      ...statuses.map(({ status, tag }) => ({ code: status, kind: "status", tag }))
    ])
    expect(new Set(ErrorCatalog.entries.map(({ code }) => code)).size).toBe(codes.length + statuses.length)
    expect(new Set(ErrorCatalog.entries.map(({ tag }) => tag)).size).toBe(codes.length + statuses.length)
  })

  it("says of every entry what it means, what it condemns and what to do", () => {
    for (const entry of ErrorCatalog.entries) {
      expect(Object.keys(entry).sort()).toEqual([
        "blastRadius",
        "code",
        "disposition",
        "kind",
        "meaning",
        "remedy",
        "tag"
      ])
      expect(ErrorCatalog.condemns[entry.blastRadius]).toMatch(/^[a-z]/)
      expect(ErrorCatalog.treatment[entry.disposition]).toMatch(/^[a-z]/)
    }
  })

  it("finds an entry by its code or status", () => {
    expect(ErrorCatalog.find(310017)).toMatchObject({ tag: "TargetGroupNotFound", kind: "code", blastRadius: "group" })
    expect(ErrorCatalog.find(429)).toMatchObject({ tag: "RateLimited", kind: "status", disposition: "retryLater" })
    expect(ErrorCatalog.find(1)).toBeUndefined()
  })
})
