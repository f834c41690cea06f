/**
 * `milepost-harness world`: write a world to begin with, check one, print the JSON Schema.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Faults from "@milepost/simulator/Faults"
import * as World from "@milepost/simulator/World"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as JsonFile from "./JsonFile.js"
import { Refused } from "./Refused.js"
import { sampleWorld } from "./sampleWorld.js"

/** What a world holds, in a few words. */
const summary = ({ credentials, customers, orgs, targetGroups }: World.World): string => {
  const people = customers.reduce((sum, line) => sum + (line.id === undefined ? line.count ?? 0 : 1), 0)
  return `${orgs.length} orgs, ${credentials.length} credentials, ${targetGroups.length} target groups, ${people} customers`
}

/** Writes a sample with comments; a file that is there already is left alone, unless `force` is given. */
export const init = (
  file: string,
  { force = false }: { readonly force?: boolean }
): Effect.Effect<number, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    yield* files.writeFileString(file, sampleWorld, { flag: force ? "w" : "wx" }).pipe(
      Effect.mapError((error) =>
        new Refused({
          lines: [
            error._tag === "SystemError" && error.reason === "AlreadyExists"
              ? `${file}: is there already; --force writes over it`
              : `${file}: cannot be written`
          ]
        })
      )
    )
    yield* Console.log(`${file}: written. Check it with \`milepost-harness world validate ${file}\`.`)
    return 0
  })

/** Says what is wrong with a world, a line a mistake with its place; exit code 2 where anything is. */
export const validate = (
  file: string,
  { json = false }: { readonly json?: boolean }
): Effect.Effect<number, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const content = yield* JsonFile.text(file)
    const world = JsonFile.read(content, World.decode)
    const mistakes = Either.isLeft(world) ? world.left : []
    if (json) yield* Console.log(JSON.stringify({ file, valid: mistakes.length === 0, mistakes }))
    else if (Either.isRight(world)) yield* Console.log(`${file}: is a good world: ${summary(world.right)}`)
    else yield* Console.error(mistakes.map((mistake) => JsonFile.line(file, mistake)).join("\n"))
    return mistakes.length === 0 ? 0 : 2
  })

/** Prints the JSON Schema of worlds, or of lists of faults. */
export const schema = ({ faults = false }: { readonly faults?: boolean }): Effect.Effect<number> =>
  Effect.as(Console.log(JSON.stringify(faults ? Faults.jsonSchema : World.jsonSchema, null, 2)), 0)
