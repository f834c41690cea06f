/** `milepost-proxy migrate`: what was brought up to date, and from which version. */
import * as Console from "effect/Console"
import type * as Effect from "effect/Effect"
import type { Migrated } from "../Database.js"

const lineOf = ({ from, part, to }: Migrated): string =>
  from === to ? `${part}: version ${to}, nothing to do` : `${part}: from version ${from} to ${to}`

/** Tells what a migration has done. */
export const tell = (kind: "database" | "file", parts: ReadonlyArray<Migrated>, json: boolean): Effect.Effect<void> =>
  Console.log(json ? JSON.stringify({ kind, parts }) : parts.map(lineOf).join("\n"))
