/** The world of the simulator's benchmark: the sample with its ten cycles, the benchmark's till, and customers for every call. */
import * as World from "@milepost/simulator/World"
import * as Work from "../Work.js"

/** The sample's parent organisation, which has the target that is called. */
const orgId = 100

/** As many as a line of a world may have; {@link Work} hands them out one by one. */
const customers = 100_000_000

/** The world. Nobody is enrolled in it. */
export const world: World.World = {
  ...World.sample,
  credentials: [{ type: "basic", ...Work.till, orgId }],
  customers: [{ orgId, from: Work.firstCustomer, count: customers }],
  enrollments: []
}

const group = World.sample.targetGroups.find(({ id }) => id === Work.targetGroupId)

/** The cycles that a call for the first of them enrols into, by their names and in their order. */
export const cycles: ReadonlyArray<string> = (group?.periods ?? []).map(({ refCode }) => refCode)
