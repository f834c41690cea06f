/** `milepost-proxy keys`: a wish at the desk of the running service, else at the file itself. */
import * as Ids from "@milepost/core/Ids"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as ApiKey from "../keys/ApiKey.js"
import type { Reply, Shown, Wish } from "../keys/KeyDesk.js"
import type { CreateFlags } from "../Program.js"
import { Refused, setting } from "../Refused.js"
import { isId } from "../upstream/Org.js"

const grantOf = (flags: CreateFlags): Either.Either<ApiKey.Grant, Refused> =>
  Either.gen(function*() {
    const { group, name = "", org = [], perMinute } = flags
    if (name.trim() === "" || name.length > 200) return yield* Either.left(setting("--name", "a name of up to 200 characters is needed"))
    const wrong = org.find((id) => !isId(id))
    if (wrong !== undefined) return yield* Either.left(setting("--org", `${JSON.stringify(wrong)} is no organisation's id`))
    const targetGroups = group === undefined
      ? null
      : yield* Either.all(group.map((text) => Either.mapLeft(Ids.targetGroupIdFromText(text), ({ problem }) => setting("--group", problem))))
    const limit = perMinute === undefined ? null : /^\d{1,7}$/.test(perMinute) ? Number(perMinute) : 0
    if (limit === 0) return yield* Either.left(setting("--per-minute", `${JSON.stringify(perMinute)} is not a whole number from 1`))
    return { name: name.trim(), orgs: [...new Set(org)], targetGroups, perMinute: limit }
  })

/** What flags ask for; fails with the first mistake in them. */
export const create = (flags: CreateFlags): Effect.Effect<Wish, Refused> =>
  Effect.map(grantOf(flags), (grant) => ({ _tag: "Create", grant }))

const time = (millis: number | null): string | null => millis === null ? null : new Date(millis).toISOString()

const documentOf = ({ createdMillis, revokedMillis, ...key }: Shown) => ({ ...key, created: time(createdMillis), revoked: time(revokedMillis) })

const lineOf = ({ createdMillis, id, name, orgs, perMinute, revokedMillis, targetGroups }: Shown): string =>
  [
    id,
    revokedMillis === null ? "valid" : "revoked",
    orgs.join(","),
    targetGroups === null ? "all groups" : `groups ${targetGroups.join(",")}`,
    perMinute === null ? "no limit" : `${perMinute}/min`,
    time(createdMillis),
    name
  ].join("  ")

const textOf = (reply: Exclude<Reply, { readonly _tag: "Failed" | "NotFound" }>): string => {
  switch (reply._tag) {
    case "Created":
      return `${reply.secret}\n\nKeep it now: it is not shown again. Its id is ${reply.key.id}.`
    case "Listed":
      return reply.keys.length === 0 ? "There is no key." : reply.keys.map(lineOf).join("\n")
    case "Revoked":
      return `${reply.key.id} is revoked.`
  }
}

const jsonOf = (reply: Exclude<Reply, { readonly _tag: "Failed" | "NotFound" }>): object => {
  switch (reply._tag) {
    case "Created":
      return { key: documentOf(reply.key), secret: reply.secret }
    case "Listed":
      return { keys: reply.keys.map(documentOf) }
    case "Revoked":
      return { key: documentOf(reply.key) }
  }
}

/** Tells what came of a wish. */
export const tell = (reply: Reply, json: boolean): Effect.Effect<void, Refused> => {
  if (reply._tag === "Failed") return new Refused({ setting: "MILEPOST_PROXY_DATA", message: reply.message })
  if (reply._tag === "NotFound") return setting("ID", "there is no key of this id")
  return Console.log(json ? JSON.stringify(jsonOf(reply)) : textOf(reply))
}
