import * as Credentials from "@milepost/core/Credentials"
import type { DataScope } from "@milepost/core/DataScope"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { readFileSync } from "node:fs"
import * as BaseUrl from "./BaseUrl.js"
import * as Connection from "./Connection.js"
import { version } from "./internal/version.js"

const baseUrl = Either.getOrThrow(BaseUrl.fromText("eu"))
const credentials = Credentials.basic({ username: "store.server", password: Redacted.make("server123") })

const setting = (options: Partial<Connection.Options>): string =>
  Either.match(Connection.make({ baseUrl, credentials, ...options }), {
    onLeft: (error) => {
      expect(error.message).toContain(error.setting)
      expect(error.message).not.toMatch(/[\r\n]/)
      return error.setting
    },
    onRight: () => "accepted"
  })

describe("Connection", () => {
  it("has the documented defaults", () => {
    expect(Either.getOrThrow(Connection.make({ baseUrl, credentials }))).toEqual({
      baseUrl: "https://eu.api.capillarytech.com",
      basePath: "/api_gateway/intouch-api-v3/v3.1",
      credentials,
      dataScope: { _tag: "Self" },
      timeoutMillis: 30_000,
      connectTimeoutMillis: 10_000,
      connections: 64,
      maxBodyBytes: 1_048_576,
      maxLookupBodyBytes: 16_777_216,
      userAgent: `milepost/${version}`
    })
  })

  it("names itself with the version of its package", () => {
    const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
    expect(version).toBe(manifest.version)
  })

  it("a number that is none of the allowed ones is refused", () => {
    for (const name of ["timeoutMillis", "connectTimeoutMillis", "connections", "maxBodyBytes", "maxLookupBodyBytes"]) {
      for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
        expect(setting({ [name]: value })).toBe(name)
      }
      expect(setting({ [name]: 1 })).toBe("accepted")
    }
  })

  it("text that could begin another header is refused", () => {
    const texts = ["a\r\nX-Evil: 1", "a\nb", "a\u0000b", "a\u007fb", "a\u0085b", "milépost→", "", " ", "a "]
    for (const userAgent of texts) {
      expect(setting({ userAgent })).toBe("userAgent")
      const attribution = { entityType: "TILL", entityCode: userAgent } as const
      expect(setting({
        credentials: Credentials.oauth({ key: Redacted.make("k"), secret: Redacted.make("s"), attribution })
      })).toBe("credentials")
    }
  })

  it("an organisation that is not a number cannot reach a header", () => {
    for (const orgId of ["1\r\nX-Evil: 1", "1,2", 1.5, 0, -1]) {
      expect(setting({ dataScope: { _tag: "Other", orgId } as unknown as DataScope })).toBe("dataScope")
    }
  })

  it("credentials that cannot be sent are refused", () => {
    const empty = Redacted.make("")
    const full = Redacted.make("x")
    expect(setting({ credentials: Credentials.basic({ username: "", password: full }) })).toBe("credentials")
    expect(setting({ credentials: Credentials.oauth({ key: empty, secret: full }) })).toBe("credentials")
    expect(setting({ credentials: Credentials.oauth({ key: full, secret: empty }) })).toBe("credentials")
    expect(setting({
      credentials: Credentials.oauth({
        key: full,
        secret: full,
        attribution: { entityType: "SHOP" as "TILL", entityCode: "x" }
      })
    })).toBe("credentials")
  })
})
