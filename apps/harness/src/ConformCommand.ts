/**
 * `milepost-harness conform`: the upstream's contract against whatever answers at a base URL.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Credentials from "@milepost/core/Credentials"
import * as BasePath from "@milepost/http/BasePath"
import * as BaseUrl from "@milepost/http/BaseUrl"
import * as Connection from "@milepost/http/Connection"
import * as UndiciTransport from "@milepost/http/UndiciTransport"
import * as Conformance from "@milepost/simulator/Conformance"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as LiveTenant from "./conformance/LiveTenant.js"
import * as Simulated from "./conformance/Simulated.js"
import * as Verdict from "./conformance/Verdict.js"
import { Refused } from "./Refused.js"

/** What `conform` is asked for, as texts of the command line. */
export interface Arguments {
  readonly baseUrl: string
  readonly against: string
  readonly basePath?: string
  readonly case?: ReadonlyArray<string>
  readonly json?: boolean
  readonly junit?: string
  readonly control?: string
  readonly allowWrites?: boolean
  readonly customer?: string
  readonly group?: string
  readonly target?: string
  readonly period?: string
  readonly streakGroup?: string
  readonly streakTarget?: string
}

const refused = (...lines: ReadonlyArray<string>): Refused => new Refused({ lines })
const refusedBy = ({ message }: { readonly message: string }): Refused => refused(message)

/** The cases that are named, or all. */
const chosen = (ids: ReadonlyArray<string> | undefined): Effect.Effect<ReadonlyArray<Conformance.Case>, Refused> => {
  if (ids === undefined) return Effect.succeed(Conformance.cases)
  const unknown = ids.filter((id) => !Conformance.cases.some((one) => one.id === id))
  return unknown.length === 0
    ? Effect.succeed(Conformance.cases.filter(({ id }) => ids.includes(id)))
    : refused(`--case: ${unknown.join(", ")} is not known; there are ${Conformance.cases.map(({ id }) => id).join(", ")}`)
}

const idOf = (flag: string, text: string | undefined): Effect.Effect<number | undefined, Refused> =>
  text === undefined
    ? Effect.succeed(undefined)
    : /^[1-9]\d{0,15}$/.test(text) && Number.isSafeInteger(Number(text))
    ? Effect.succeed(Number(text))
    : refused(`${flag}: ${JSON.stringify(text)} is not a whole number from 1 to 2^53-1`)

const placeOf = (given: Arguments): Effect.Effect<Conformance.LivePlace, Refused> =>
  Effect.gen(function*() {
    const customerId = yield* idOf("--customer", given.customer)
    const [groupId, targetId] = [yield* idOf("--group", given.group), yield* idOf("--target", given.target)]
    const [streakGroup, streakTarget] = [yield* idOf("--streak-group", given.streakGroup), yield* idOf("--streak-target", given.streakTarget)]
    const milestone = [groupId, targetId, given.period].filter((part) => part !== undefined).length
    if (milestone !== 0 && milestone !== 3) return yield* refused("--group, --target and --period belong together")
    if ((streakGroup === undefined) !== (streakTarget === undefined)) {
      return yield* refused("--streak-group and --streak-target belong together")
    }
    if (given.allowWrites === true && (customerId === undefined || (groupId === undefined && streakGroup === undefined))) {
      return yield* refused("--allow-writes needs --customer, and --group, --target and --period or --streak-group and --streak-target")
    }
    return {
      customerId,
      milestone: groupId === undefined || targetId === undefined || given.period === undefined
        ? undefined
        : { targetGroupId: groupId, targetId, periodName: given.period },
      streak: streakGroup === undefined || streakTarget === undefined ? undefined : { targetGroupId: streakGroup, targetId: streakTarget }
    }
  })

/** As the environment says, like the other commands of Milepost. */
const credentials = Effect.gen(function*() {
  const text = (name: string) => Effect.map(Config.option(Config.nonEmptyString(name)), Option.getOrUndefined)
  const [username, password] = [yield* text("MILEPOST_USERNAME"), yield* text("MILEPOST_PASSWORD")]
  const [key, secret] = [yield* text("MILEPOST_OAUTH_KEY"), yield* text("MILEPOST_OAUTH_SECRET")]
  if (key !== undefined && secret !== undefined && username === undefined) {
    return Credentials.oauth({ key: Redacted.make(key), secret: Redacted.make(secret) })
  }
  if (username !== undefined && password !== undefined && key === undefined) {
    return Credentials.basic({ username, password: Redacted.make(password) })
  }
  return yield* refused("set either MILEPOST_USERNAME and MILEPOST_PASSWORD, or MILEPOST_OAUTH_KEY and MILEPOST_OAUTH_SECRET")
}).pipe(Effect.catchTag("ConfigError", () => refused("the credentials in the environment cannot be read")))

const onLive = (given: Arguments, baseUrl: BaseUrl.BaseUrl, basePath: BasePath.BasePath, cases: ReadonlyArray<Conformance.Case>) =>
  Effect.gen(function*() {
    const options = { place: yield* placeOf(given), mayWrite: given.allowWrites === true }
    const connection = yield* Effect.mapError(
      Connection.make({ baseUrl, basePath, credentials: yield* credentials }),
      refusedBy
    )
    const plan = LiveTenant.plan(options)
    if (plan.length > 0) yield* Console.error(plan.join("\n"))
    return yield* Effect.provide(LiveTenant.run(options, cases), UndiciTransport.layer(connection))
  })

const runs = (given: Arguments, baseUrl: BaseUrl.BaseUrl, basePath: BasePath.BasePath, cases: ReadonlyArray<Conformance.Case>) => {
  const clean = (verdicts: ReadonlyArray<Verdict.Verdict>) => ({ cases: verdicts, leftBehind: [] })
  switch (given.against) {
    case "simulator":
      return Effect.map(Simulated.simulator(baseUrl, basePath, cases), clean)
    case "proxy": {
      const { control } = given
      if (control === undefined) return refused("--against proxy needs --control, the URL of the simulator behind the proxy")
      return Effect.gen(function*() {
        const apiKey = Option.getOrUndefined(yield* Effect.orElseSucceed(Config.option(Config.redacted("MILEPOST_API_KEY")), Option.none))
        const controlUrl = yield* Effect.mapError(BaseUrl.fromText(control), refusedBy)
        return clean(yield* Simulated.proxy({ baseUrl, basePath, controlUrl, apiKey }, cases))
      })
    }
    case "live":
      return onLive(given, baseUrl, basePath, cases)
    default:
      return refused(`--against: ${JSON.stringify(given.against)} is none of simulator, proxy, live`)
  }
}

/** Runs the cases: exit code 0 where all are green, 1 where one is red or something is left behind. */
export const command = (given: Arguments): Effect.Effect<number, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const baseUrl = yield* Effect.mapError(BaseUrl.fromText(given.baseUrl), ({ message }) => refused(`--base-url: ${message}`))
    const basePath = given.basePath === undefined
      ? BasePath.documented
      : yield* Effect.mapError(BasePath.fromText(given.basePath), ({ message }) => refused(`--base-path: ${message}`))
    const cases = yield* chosen(given.case)
    const report = { against: given.against, baseUrl, ...(yield* runs(given, baseUrl, basePath, cases)) }
    if (given.junit !== undefined) {
      const { junit } = given
      yield* Effect.mapError(files.writeFileString(junit, Verdict.asJunit(report)), () => refused(`${junit}: cannot be written`))
    }
    yield* Console.log(given.json === true ? Verdict.asJson(report) : Verdict.forPeople(report))
    return Verdict.isGreen(report) ? 0 : 1
  })
