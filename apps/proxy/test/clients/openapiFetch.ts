/** What a user of `openapi-typescript` and `openapi-fetch` would write; compiled and run by clients.test.ts beside what is generated. */
import createClient from "openapi-fetch"
import type { components, paths } from "./schema.js"

const client = createClient<paths>({
  baseUrl: process.env["MILEPOST_PROXY_URL"] ?? "",
  headers: { authorization: `Bearer ${process.env["MILEPOST_API_KEY"] ?? ""}` }
})

const place = { targetGroupId: 2154, targetId: 2309, periodName: "Cycle_1" }

const one = await client.POST("/v1/enrollments", {
  params: { header: { "idempotency-key": "openapi-fetch-1" } },
  body: { customerId: 564332014, ...place }
})
const refused = await client.POST("/v1/enrollments", { body: { customerId: 5, ...place } })
const problem: components["schemas"]["Problem"] | undefined = refused.error

const batch = await client.POST("/v1/enrollments/batch", {
  body: { records: [{ customerId: 564332015, ...place }, { customerId: 5, ...place }] }
})

const stored = await client.POST("/v1/jobs", {
  params: { query: { group: 2154, target: 2309, period: ["Cycle_1"], name: "customers.csv" } },
  body: "customerId\n564332016\n564332017\nx\n",
  bodySerializer: (body) => body,
  headers: { "content-type": "text/csv" }
})
// With `dryRun` it would be a plan.
const id = stored.data !== undefined && "id" in stored.data ? stored.data.id : ""
let job: components["schemas"]["Job"] | undefined
do {
  await new Promise((resolve) => setTimeout(resolve, 100))
  job = (await client.GET("/v1/jobs/{id}", { params: { path: { id } } })).data
} while (job !== undefined && job.state !== "finished")
const results = await client.GET("/v1/jobs/{id}/results", { params: { path: { id }, query: { outcome: "rejected" } }, parseAs: "text" })
const groups = await client.GET("/v1/customers/{id}/target-groups", { params: { path: { id: 564332014 } } })

process.stdout.write(JSON.stringify({
  one: one.data?.outcome,
  problem: [problem?.type, problem?.code],
  batch: batch.data?.results.map(({ outcome }) => outcome),
  location: stored.response.headers.get("location") === `/v1/jobs/${id}`,
  counts: job?.counts,
  results: results.data,
  groups: groups.data?.targetGroups.map((group) => group.id)
}))
