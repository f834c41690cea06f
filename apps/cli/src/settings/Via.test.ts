import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Settings from "./Settings.js"
import * as Via from "./Via.js"

const settings = (environment: Readonly<Record<string, string>>, flags: Readonly<Record<string, string>> = {}) =>
  Settings.make({ environment, flags, profile: { label: "milepost.toml [default]", values: { via: "https://profile.example.com", api_key: "mp_profile" } } })

describe("Via", () => {
  it("is where a flag says, else the environment, else the profile", () => {
    const environment = { MILEPOST_VIA: "https://environment.example.com/", MILEPOST_API_KEY: "mp_environment" }
    assert.deepStrictEqual(Via.urlIn(settings(environment, { via: "HTTPS://Flag.example.com" })), Either.right("https://flag.example.com"))
    assert.deepStrictEqual(Via.urlIn(settings(environment)), Either.right("https://environment.example.com"))
    assert.deepStrictEqual(Via.urlIn(settings({})), Either.right("https://profile.example.com"))
    assert.deepStrictEqual(Via.urlIn(Settings.make({ environment: {}, flags: {}, profile: null })), Either.right(null))
    assert.strictEqual(Either.getOrThrow(Via.keyIn(settings({}))).keyOrigin, "api_key in milepost.toml [default]")
  })

  it("is asked in clear text on this machine alone, unless that is wanted", () => {
    assert.deepStrictEqual(Via.urlIn(settings({ MILEPOST_VIA: "http://127.0.0.1:8320" })), Either.right("http://127.0.0.1:8320"))
    assert.isTrue(Either.isLeft(Via.urlIn(settings({ MILEPOST_VIA: "http://proxy.example.com" }))))
    assert.deepStrictEqual(Via.urlIn(settings({ MILEPOST_VIA: "http://proxy.example.com", MILEPOST_INSECURE: "1" })), Either.right("http://proxy.example.com"))
  })

  it("never shows its key", () => {
    const via = Either.getOrThrow(Via.at("https://proxy.example.com", settings({ MILEPOST_API_KEY: "mp_canary" })))
    assert.notInclude(JSON.stringify(via) + String(via.key), "canary")
    const mistake = Either.flip(Via.keyIn(settings({ MILEPOST_API_KEY: "mp_canary\nX-Other: 1" })))
    assert.notInclude(Either.getOrThrow(mistake).message, "canary")
  })
})
