import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Profile from "./Profile.js"

const platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

/** Loads a profile from a file with this text. */
const load = (text: string, profile?: string) =>
  Effect.scoped(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const config = yield* files.makeTempFileScoped()
    yield* files.writeFileString(config, text)
    yield* files.chmod(config, 0o600)
    return yield* Profile.load({ config, profile, environment: {} })
  })).pipe(Effect.provide(platform))

describe("Profile", () => {
  it.effect("reads the default table, and another one by name", () =>
    Effect.gen(function*() {
      const text = "[default]\nhost = \"eu\"\ntimeout = 20\n[staging]\nhost = \"us\"\n"
      assert.deepInclude(yield* load(text), { values: { host: "eu", timeout: "20" }, exposed: false })
      assert.deepInclude(yield* load(text, "staging"), { values: { host: "us" } })
    }))

  it.effect("a profile that is not there is named, with those that are", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(load("[default]\n[staging]\n", "production"))
      assert.include(error.message, "no profile [production]; it has [default], [staging]")
    }))

  it.effect("an unknown setting is named, with those that are known", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(load("[default]\nhots = \"eu\"\n"))
      assert.include(error.message, "there is no setting \"hots\"; known are host")
    }))

  it.effect("what is no TOML is told by line and column, and none of its text is repeated", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(load("[default]\npassword = \"canary-secret\nhost = eu\n"))
      assert.match(error.message, /line \d+, column \d+: this is not valid TOML/)
      assert.notInclude(error.message, "canary")
    }))

  it.effect("without a file there is no profile, unless one was asked for", () =>
    Effect.gen(function*() {
      const nowhere = { config: undefined, environment: { XDG_CONFIG_HOME: "/nonexistent" } }
      assert.isNull(yield* Profile.load({ ...nowhere, profile: undefined }))
      const error = yield* Effect.flip(Profile.load({ ...nowhere, profile: "staging" }))
      assert.include(error.message, "[staging]")
    }).pipe(Effect.provide(platform)))
})
