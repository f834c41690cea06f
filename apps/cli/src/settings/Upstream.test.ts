import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { inspect } from "node:util"
import * as Settings from "./Settings.js"
import * as Upstream from "./Upstream.js"

const settings = (
  environment: Readonly<Record<string, string>>,
  more: { readonly flags?: Partial<Record<Settings.Name, string>>; readonly profile?: Partial<Record<Settings.Name, string>> } = {}
) =>
  Settings.make({
    environment,
    flags: more.flags ?? {},
    profile: more.profile === undefined ? null : { label: "milepost.toml [default]", values: more.profile }
  })

const basic = { MILEPOST_HOST: "eu", MILEPOST_USERNAME: "till", MILEPOST_PASSWORD: "canary-password" }

describe("Upstream", () => {
  it.effect("a host and a till are enough; the rest has defaults", () =>
    Effect.gen(function*() {
      const connection = yield* Upstream.connection(settings(basic))
      assert.strictEqual<string>(connection.baseUrl, "https://eu.api.capillarytech.com")
      assert.strictEqual<string>(connection.basePath, "/api_gateway/intouch-api-v3/v3.1")
      assert.deepInclude(connection, { timeoutMillis: 30_000 })
      assert.notInclude(inspect(connection, { depth: 10, showHidden: true }), "canary")
    }))

  it.effect("flags win over the environment, and the environment over the profile", () =>
    Effect.gen(function*() {
      const profile = { host: "apac", timeout: "1s", concurrency: "3" }
      const connection = yield* Upstream.connection(
        settings({ ...basic, MILEPOST_TIMEOUT: "2s" }, { flags: { host: "us" }, profile })
      )
      assert.strictEqual<string>(connection.baseUrl, "https://us.api.capillarytech.com")
      assert.deepInclude(connection, { timeoutMillis: 2_000 })
    }))

  it("what a run keeps counts for more than the environment, and for less than a flag", () => {
    const given = settings({ MILEPOST_RATE: "1/s", MILEPOST_CONCURRENCY: "5" }, { flags: { concurrency: "7" } })
    const kept = Settings.over(given, {
      rate: { value: "2/s", origin: "run x" },
      concurrency: { value: "6", origin: "run x" }
    })
    assert.deepInclude(Either.getOrThrow(Upstream.limits(kept)), { callsPerSecond: 2, concurrency: 7 })
    assert.deepInclude(Either.getOrThrow(Upstream.limits(Settings.over(given, {}))), { callsPerSecond: 1 })
    assert.strictEqual(Settings.byFlag(given, "concurrency"), "7")
    assert.isNull(Settings.byFlag(given, "rate"))
  })

  it("an upstream is known by host, scope and principal, and the key shows none of them", () => {
    const of = (more: Record<string, string>) => Either.getOrThrow(Upstream.identity(settings({ ...basic, ...more })))
    assert.deepStrictEqual(of({}), of({ MILEPOST_PASSWORD: "another" }))
    assert.notStrictEqual(of({}).key, of({ MILEPOST_USERNAME: "another" }).key)
    assert.notStrictEqual(of({}).name, of({ MILEPOST_DATA_SCOPE: "OTHER", MILEPOST_DATA_SCOPE_ORG: "17" }).name)
    assert.match(of({}).key, /^[0-9a-f]{16}$/)
  })

  it.effect.each<readonly [Record<string, string>, string, string]>([
    [{}, "MILEPOST_HOST", "is not set"],
    [{ ...basic, MILEPOST_HOST: "http://10.0.0.1" }, "MILEPOST_HOST", "clear text"],
    [{ ...basic, MILEPOST_HOST: "mars" }, "MILEPOST_HOST", "\"mars\""],
    [{ ...basic, MILEPOST_BASE_PATH: "v3" }, "MILEPOST_BASE_PATH", "must begin with"],
    [{ ...basic, MILEPOST_PASSWORD_MD5: "0".repeat(32) }, "MILEPOST_PASSWORD_MD5", "as well"],
    [{ MILEPOST_HOST: "eu", MILEPOST_USERNAME: "t", MILEPOST_PASSWORD_MD5: "canary" }, "MILEPOST_PASSWORD_MD5", "32 hexadecimal"],
    [{ MILEPOST_HOST: "eu", MILEPOST_OAUTH_KEY: "k" }, "MILEPOST_OAUTH_SECRET", "is not set"],
    [{ ...basic, MILEPOST_OAUTH_KEY: "canary-key" }, "MILEPOST_OAUTH_KEY", "both kinds"],
    [{ ...basic, MILEPOST_DATA_SCOPE: "all" }, "MILEPOST_DATA_SCOPE", "310141"],
    [{ ...basic, MILEPOST_DATA_SCOPE: "OTHER" }, "MILEPOST_DATA_SCOPE_ORG", "needs the id"],
    [{ ...basic, MILEPOST_DATA_SCOPE: "OTHER", MILEPOST_DATA_SCOPE_ORG: "1,2" }, "MILEPOST_DATA_SCOPE_ORG", "several"],
    [{ ...basic, MILEPOST_CONCURRENCY: "0" }, "MILEPOST_CONCURRENCY", "\"0\""],
    [{ ...basic, MILEPOST_RATE: "fast" }, "MILEPOST_RATE", "600/min"]
  ])("%j is one line that names the setting and no secret", ([environment, setting, words]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Upstream.connection(settings(environment)))
      assert.strictEqual(error.setting, setting)
      assert.include(error.message, words)
      assert.notInclude(error.message, "canary")
      assert.notInclude(error.message, "\n")
    }))

  it.effect("a mistake in a flag or a profile is told under that name", () =>
    Effect.gen(function*() {
      const flag = yield* Effect.flip(Upstream.connection(settings(basic, { flags: { timeout: "soon" } })))
      assert.strictEqual(flag.setting, "--timeout")
      const profile = yield* Effect.flip(Upstream.connection(settings(basic, { profile: { timeout: "soon" } })))
      assert.strictEqual(profile.setting, "timeout in milepost.toml [default]")
    }))
})
