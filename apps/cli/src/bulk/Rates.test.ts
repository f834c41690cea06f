import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Rates from "./Rates.js"

const inFolder = <A, E, R>(use: (runs: string) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.flatMap(FileSystem.FileSystem, (files) => Effect.flatMap(files.makeTempDirectoryScoped(), use))
  ).pipe(Effect.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer)))

describe("Rates", () => {
  it.effect("keeps one rate an organisation, the latest", () =>
    inFolder((runs) =>
      Effect.gen(function*() {
        assert.isNull(yield* Rates.read(runs, "a"))
        yield* Rates.write(runs, "a", 10)
        yield* Rates.write(runs, "b", 20)
        yield* Rates.write(runs, "a", 12)
        assert.strictEqual(yield* Rates.read(runs, "a"), 12)
        assert.strictEqual(yield* Rates.read(runs, "b"), 20)
      })))

  it.effect("a file that is damaged, or a folder that is gone, costs nothing but the knowledge", () =>
    inFolder((runs) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        yield* files.writeFileString(`${runs}/rates.json`, "{\"a\":")
        assert.isNull(yield* Rates.read(runs, "a"))
        yield* Rates.write(runs, "a", 10)
        assert.strictEqual(yield* Rates.read(runs, "a"), 10)
        yield* Rates.write(`${runs}/gone`, "a", 10)
        assert.isNull(yield* Rates.read(`${runs}/gone`, "a"))
      })))
})
