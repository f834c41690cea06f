/**
 * Which lane a customer belongs to: the same one on every machine and in every run with as many lanes.
 *
 * A lane is worked on by one owner at a time, so that no customer ever has two calls in flight.
 */

const high = 2 ** 32

/** Spreads the bits of a 32-bit integer (the finaliser of MurmurHash3). */
const mix = (value: number): number => {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * The lane of a customer, from 0 to `lanes - 1`.
 *
 * @example
 * ```ts
 * import { Lane } from "@milepost/ledger"
 *
 * const lane = Lane.of(564332013, 64)
 * ```
 */
export const of = (customerId: number, lanes: number): number =>
  mix(mix(Math.floor(customerId / high)) ^ (customerId % high | 0)) % lanes
