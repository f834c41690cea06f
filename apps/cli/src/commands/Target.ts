/** Reads the flags that name a target and a customer. */
import * as Enrollment from "@milepost/core/Enrollment"
import * as Ids from "@milepost/core/Ids"
import * as Records from "@milepost/rows/Records"
import type { Column } from "@milepost/rows/Row"
import * as Either from "effect/Either"
import * as Failure from "../Failure.js"
import type { Flags } from "../Invocation.js"

const flagOf: Readonly<Record<string, string>> = {
  customerId: "--customer",
  targetGroupId: "--group",
  targetId: "--target",
  periodName: "--period",
  initialBalance: "--initial-balance",
  resetStreakStatus: "--reset-streak"
}

/** The flags that fill in these columns. */
export const flagsOf = (columns: ReadonlyArray<Column>): ReadonlyArray<string> => columns.map((column) => flagOf[column] ?? column)

/** A mistake in a record, told under the name of its flag. */
export const named = (error: Ids.InvalidRecord): Failure.Refused => {
  const flag = flagOf[error.field] ?? error.field
  return Failure.usage(`${flag}: ${JSON.stringify(error.value)} ${error.problem}`, flag)
}

const needed = <A>(
  flag: string,
  value: string | undefined,
  read: (text: string) => Either.Either<A, Ids.InvalidRecord>
): Either.Either<A, Failure.Refused> =>
  value === undefined
    ? Either.left(Failure.usage(`${flag} is missing`, flag))
    : Either.mapLeft(read(value), named)

/** The customer that `--customer` names. */
export const customer = (flags: Flags): Either.Either<Ids.CustomerId, Failure.Refused> =>
  needed("--customer", flags.customer, Ids.customerIdFromText)

/** The target and the customer that the flags name. */
export const identity = (flags: Flags): Either.Either<Enrollment.Identity, Failure.Refused> =>
  Either.all({
    targetGroupId: needed("--group", flags.group, Ids.targetGroupIdFromText),
    targetId: needed("--target", flags.target, Ids.targetIdFromText),
    customerId: customer(flags)
  })

/** What `--initial-balance` asks for. */
export const initialBalance = (flags: Flags): Either.Either<Enrollment.InitialBalance, Failure.Refused> =>
  Either.mapLeft(Records.initialBalance(flags.initialBalance), named)

/** What flags fill in for columns that a file does not have. */
export const defaults = (flags: Flags): Either.Either<Records.Defaults, Failure.Refused> =>
  Either.gen(function*() {
    const optional = <A>(value: string | undefined, read: (text: string) => Either.Either<A, Ids.InvalidRecord>) =>
      value === undefined ? Either.right(undefined) : Either.mapLeft(read(value), named)
    const periodNames = flags.period ?? []
    const repeated = periodNames.find((name, index) => periodNames.indexOf(name) !== index)
    if (repeated !== undefined) {
      return yield* Either.left(Failure.usage(`--period: ${JSON.stringify(repeated)} is given twice`, "--period"))
    }
    return {
      targetGroupId: yield* optional(flags.group, Ids.targetGroupIdFromText),
      targetId: yield* optional(flags.target, Ids.targetIdFromText),
      periodNames: yield* Either.all(periodNames.map((name) => Either.mapLeft(Enrollment.periodName(name), named))),
      initialBalance: yield* initialBalance(flags),
      resetStreakStatus: flags.resetStreak
    }
  })
