/**
 * One organisation as it is configured: where it is called, as whom, and how fast.
 *
 * Callers name it by its `id`; nothing else of it ever comes from a caller.
 */
import type { Connection } from "@milepost/http/Connection"
import type { Limits } from "./Gate.js"

/** One organisation. */
export interface Org {
  /** How keys, headers and routes name it. */
  readonly id: string
  readonly connection: Connection
  readonly limits: Limits
}

/** What an organisation may be called. */
export const isId = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(text)
