/**
 * Whose data a call acts on: the authenticating organisation's, or a connected child's (seed, *Headers*).
 *
 * `ALL` cannot be expressed: the upstream refuses it for these calls with 310141, so it is refused before anything is sent.
 */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as ApiError from "./ApiError.js"
import * as Ids from "./Ids.js"

/** The authenticating organisation itself: the default. */
export interface Self {
  readonly _tag: "Self"
}

/** One connected child organisation, with a parent's credentials. A POST acts on one organisation. */
export interface Other {
  readonly _tag: "Other"
  readonly orgId: Ids.OrgId
}

/** Whose data a call acts on. */
export type DataScope = Self | Other

/** The authenticating organisation itself. */
export const self: DataScope = { _tag: "Self" }

/** One connected child organisation; fails with `InvalidRecord` when the id is not one. */
export const other = (orgId: number): Either.Either<DataScope, Ids.InvalidRecord> =>
  Either.map(Ids.orgId(orgId), (id) => ({ _tag: "Other", orgId: id }))

/** A data scope that cannot be used; `code` is 310141 where the upstream documents the refusal. */
export class DataScopeRefused extends Data.TaggedError("DataScopeRefused")<{
  /** Which of the two settings is wrong. */
  readonly setting: "scope" | "org"
  readonly code: ApiError.Code | null
  readonly message: string
}> {}

const refused = (
  setting: "scope" | "org",
  message: string,
  code: ApiError.Code | null = null
): Either.Either<never, DataScopeRefused> => Either.left(new DataScopeRefused({ setting, code, message }))

const { code: allCode, remedy } = ApiError.DataScopeNotSupported.row

/**
 * Reads a scope and an organisation as people configure them; fails with {@link DataScopeRefused}.
 *
 * @example
 * ```ts
 * import { DataScope } from "@milepost/core"
 *
 * const scope = DataScope.fromText("OTHER", "100458")
 * ```
 */
export const fromText = (
  scope: string | undefined,
  org: string | undefined
): Either.Either<DataScope, DataScopeRefused> => {
  const word = (scope ?? "SELF").trim().toUpperCase()
  const id = org?.trim() ?? ""
  switch (word) {
    case "SELF":
      return id === ""
        ? Either.right(self)
        : refused("org", `the data scope SELF takes no organisation, but ${JSON.stringify(id)} is given: use OTHER`)
    case "OTHER": {
      if (id === "") return refused("org", "the data scope OTHER needs the id of one child organisation")
      if (id.includes(",")) return refused("org", `one organisation a call, but ${JSON.stringify(id)} lists several`)
      return Either.mapBoth(Ids.orgIdFromText(id), {
        onLeft: (error) => new DataScopeRefused({ setting: "org", code: null, message: error.message }),
        onRight: (orgId) => ({ _tag: "Other" as const, orgId })
      })
    }
    case "ALL":
      return refused("scope", `the data scope ALL is not supported for enrolment (${allCode}). ${remedy}`, allCode)
    default:
      return refused("scope", `${JSON.stringify(scope)} is no data scope: SELF or OTHER`)
  }
}

/** The headers of a scope: none for `SELF`, which is what their absence means. */
export const headers = (scope: DataScope): Readonly<Record<string, string>> =>
  scope._tag === "Self" ? {} : { "DATA-SCOPE": "OTHER", "DATA-SCOPE-ORG": String(scope.orgId) }
