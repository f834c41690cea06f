/** What a user of `@hey-api/openapi-ts` would write; compiled and run by clients.test.ts beside what is generated. */
import { client } from "./hey/client.gen.js"
import { createJob, enroll, enrollBatch, getJob, getJobResults, getTargetGroups } from "./hey/sdk.gen.js"
import type { Job, Problem } from "./hey/types.gen.js"

client.setConfig({ baseUrl: process.env["MILEPOST_PROXY_URL"] ?? "", auth: process.env["MILEPOST_API_KEY"] ?? "" })

const place = { targetGroupId: 2154, targetId: 2309, periodName: "Cycle_1" }

const one = await enroll({ headers: { "idempotency-key": "hey-api-1" }, body: { customerId: 564332014, ...place } })
const refused = await enroll({ body: { customerId: 5, ...place } })
const problem: Problem | undefined = refused.error

const batch = await enrollBatch({ body: { records: [{ customerId: 564332015, ...place }, { customerId: 5, ...place }] } })

const stored = await createJob({
  query: { group: 2154, target: 2309, period: ["Cycle_1"], name: "customers.csv" },
  body: "customerId\n564332016\n564332017\nx\n"
})
// With `dryRun` it would be a plan.
const id = stored.data !== undefined && "id" in stored.data ? stored.data.id : ""
let job: Job | undefined
do {
  await new Promise((resolve) => setTimeout(resolve, 100))
  job = (await getJob({ path: { id } })).data
} while (job !== undefined && job.state !== "finished")
const results = await getJobResults({ path: { id }, query: { outcome: "rejected" }, parseAs: "text" })
const groups = await getTargetGroups({ path: { id: 564332014 } })

process.stdout.write(JSON.stringify({
  one: one.data?.outcome,
  problem: [problem?.type, problem?.code],
  batch: batch.data?.results.map(({ outcome }) => outcome),
  location: stored.response.headers.get("location") === `/v1/jobs/${id}`,
  counts: job?.counts,
  results: results.data,
  groups: groups.data?.targetGroups.map((group) => group.id)
}))
