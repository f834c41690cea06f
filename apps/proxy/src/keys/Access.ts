/**
 * What a key opens: which organisation a request is for, and whether the key may touch what it names.
 *
 * A caller names an organisation by its id, or needs not where its key has only one. Where that organisation lies, and as
 * whom it is called, is the proxy's own.
 */
import type { Upstream } from "../upstream/Upstream.js"
import type { Service as Upstreams } from "../upstream/Upstreams.js"
import type { ApiKey } from "./ApiKey.js"

/** Why a request has no organisation. */
export type NoOrg =
  /** The key has several and none is named, or several are. */
  | { readonly _tag: "Ambiguous"; readonly orgs: ReadonlyArray<string> }
  /** The key has not the one that is named. Whether there is such an organisation is not told. */
  | { readonly _tag: "NotGranted" }
  /** The key has it, and the proxy calls it no more. */
  | { readonly _tag: "Gone"; readonly org: string }

/** The organisation of a request. */
export const orgOf = (
  key: ApiKey,
  named: string | undefined,
  upstreams: Upstreams
): Upstream | NoOrg => {
  const [only, second] = key.orgs
  const id = named ?? (second === undefined ? only : undefined)
  if (id === undefined) return { _tag: "Ambiguous", orgs: key.orgs }
  if (!key.orgs.includes(id)) return { _tag: "NotGranted" }
  return upstreams.get(id) ?? { _tag: "Gone", org: id }
}

/** Whether there is no organisation. */
export const isNone = (found: Upstream | NoOrg): found is NoOrg => "_tag" in found

/** Whether a key may touch a target group. */
export const mayTouch = ({ targetGroups }: ApiKey, targetGroupId: number): boolean =>
  targetGroups === null || targetGroups.includes(targetGroupId)
