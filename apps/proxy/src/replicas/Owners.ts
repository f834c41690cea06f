/**
 * Who may call for a customer: the replica that has the customer's lane.
 *
 * What the proxy needs to know of the replicas, so that a gate, a route or a test does not need all of them.
 */
import * as Lane from "@milepost/ledger/Lane"

/** Where a lane is looked after. */
export type Owner = "self" | { readonly id: string; readonly address: string }

/** Who has which lane, as far as this replica knows. */
export interface Owners {
  /** How many lanes there are. */
  readonly lanes: number
  /** Whether this replica may send for a lane at this moment. */
  readonly holds: (lane: number) => boolean
  /** Counts one who is at work in a lane, until what is returned is called; `null` where this replica may not send for it. */
  readonly enter: (lane: number) => (() => void) | null
  /** Who has a lane; `null` where nobody has it, or nobody knows. */
  readonly ownerOf: (lane: number) => Owner | null
}

/** The lane of a customer. */
export const laneOf = ({ lanes }: Pick<Owners, "lanes">, customerId: number): number => Lane.of(customerId, lanes)
