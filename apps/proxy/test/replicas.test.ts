/** Replicas over one real PostgreSQL: whichever is asked, the answer is the same, and the upstream sees one of them. */
import { afterAll, beforeAll, describe, expect, it, vi } from "@effect/vitest"
import * as PostgresServer from "@milepost/testing/PostgresServer"
import * as World from "@milepost/simulator/World"
import * as Effect from "effect/Effect"
import * as Forwarded from "../src/replicas/Forwarded.js"
import { laneOf } from "../src/replicas/Owners.js"
import * as Databases from "./databases.js"
import { call, enrolBody, enrolPath, type Options, type Running, start } from "./running.js"

let server: PostgresServer.PostgresServer

beforeAll(async () => {
  server = await PostgresServer.start()
})
afterAll(() => server.close())

const ofUs = { timeout: 60_000 }

/** Short, so that a test need not wait long for what a replica leaves behind. */
const leaseMillis = 3_000

const world: World.World = { ...World.conformance, customers: [...World.conformance.customers, { orgId: 100, from: 1_000_001, count: 1_000 }] }

/** So many replicas before one simulator, once each has its lanes. */
const replicas = async (many: number, options: Options = {}): Promise<ReadonlyArray<Running>> => {
  const shared = { world, database: await Databases.make(server), leaseMillis }
  const first = await start({ ...options, ...shared })
  const others: Array<Running> = []
  while (others.length < many - 1) others.push(await start({ ...options, ...shared, simulatorUrl: first.simulatorUrl }))
  const all = [first, ...others]
  await vi.waitUntil(() => all.every((one) => held(one) > 0) && all.reduce((sum, one) => sum + held(one), 0) === 64, { timeout: 20_000, interval: 50 })
  return all
}

const held = ({ replicas }: Running): number => replicas?.replica.held().length ?? 0

const csv = (customers: ReadonlyArray<number>): string => `customerId\n${customers.join("\n")}\n`
const place = "group=2154&target=2309&period=Cycle_3"
const customers = Array.from({ length: 200 }, (_, index) => 1_000_001 + index)

interface Told {
  readonly id: string
  readonly state: string
  readonly counts: Readonly<Record<string, number>>
}

const upload = async ({ url }: Running, secret: string, body = csv(customers), more = ""): Promise<Told> => {
  const answer = await call(`${url}/v1/jobs?${place}${more}`, { secret, body, headers: { "content-type": "text/csv" } })
  expect(answer.status).toBe(202)
  return JSON.parse(answer.text) as Told
}

const job = async ({ url }: Running, secret: string, id: string): Promise<Told> => JSON.parse((await call(`${url}/v1/jobs/${id}`, { secret })).text) as Told

const until = async (proxy: Running, secret: string, id: string, state: string): Promise<void> =>
  void await vi.waitUntil(async () => (await job(proxy, secret, id)).state === state, { timeout: 30_000, interval: 50 })

/** The key, once every replica knows it. */
const keyOf = async (all: ReadonlyArray<Running>): Promise<{ readonly id: string; readonly secret: string }> => {
  const key = await all[0]!.key()
  for (const { url } of all) await vi.waitUntil(async () => (await call(`${url}/v1/jobs`, { secret: key.secret })).status === 200, { timeout: 10_000, interval: 50 })
  return key
}

const counts = (all: ReadonlyArray<Running>) => Effect.runPromise(all[0]!.simulator.journal.counts)

/** A customer whose lane a replica has. */
const customerOf = ({ replicas }: Running): number => {
  const customer = customers.find((id) => replicas?.replica.holds(laneOf(replicas.replica, id)))
  if (customer === undefined) throw new Error("it has no lane")
  return customer
}

const slow = { faults: [{ operation: "enroll", effect: { kind: "latency", millis: 100 } }] } as const

describe("replicas", () => {
  it("send a job together, and tell the same of it", ofUs, async () => {
    const all = await replicas(3, { simulation: slow })
    const [one, two, three] = all as [Running, Running, Running]
    const { secret } = await keyOf(all)
    const { id } = await upload(one, secret)
    const events = await call(`${two.url}/v1/jobs/${id}/events`, { secret })
    const told = events.text.split("\n\n").filter((event) => event.includes("data: ")).map((event) => JSON.parse(/data: (.*)/.exec(event)![1]!) as Told)
    expect(told.at(-1)).toMatchObject({ state: "finished" })
    const results = await Promise.all(all.map(({ url }) => call(`${url}/v1/jobs/${id}/results`, { secret })))
    expect(new Set(results.map(({ text }) => text)).size).toBe(1)
    expect(results[0]!.text.split("\r\n").length).toBe(customers.length + 2)
    // Known already at the other one, whose events it came with.
    const last = /^id: (.*)$/m.exec(events.text.split("\n\n").filter((event) => event.includes("data: ")).at(-1)!)![1]!
    const again = await call(`${three.url}/v1/jobs/${id}/events`, { secret, headers: { "last-event-id": last } })
    expect(again.text).toContain("event: end")
    // Everybody took part, their calls add up, and nobody's met.
    const calls = all.map(({ metrics, upstreams }) =>
      [...metrics.render({ upstreams, jobs: {}, lanes: 64 }).matchAll(/^milepost_proxy_upstream_calls_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0))
    expect(calls.every((count) => count > 0)).toBe(true)
    expect(await counts(all)).toMatchObject({ received: calls.reduce((sum, count) => sum + count, 0), overlaps: 0 })
    const outcomes = () =>
      all.flatMap(({ metrics, upstreams }) =>
        [...metrics.render({ upstreams, jobs: {}, lanes: 64 }).matchAll(/^milepost_proxy_outcomes_total\{org="brand",outcome="(\w+)"\} (\d+)$/gm)].map(([, word, count]) => [word, Number(count)] as const))
    // Each tells its own when it has seen the end.
    const sum = (): number => outcomes().reduce((sum, [, count]) => sum + count, 0)
    await vi.waitUntil(() => sum() >= customers.length, { timeout: 10_000, interval: 50 })
    expect(new Set(outcomes().map(([word]) => word))).toEqual(new Set(["enrolled"]))
    expect(sum()).toBe(customers.length)
  })

  it("pause, go on and cancel, whichever is asked", ofUs, async () => {
    const all = await replicas(3, { simulation: { faults: [{ operation: "enroll", effect: { kind: "latency", millis: 400 } }] }, orgs: [{ MILEPOST_CONCURRENCY: "4" }] })
    const [one, two, three] = all as [Running, Running, Running]
    const { secret } = await keyOf(all)
    const { id } = await upload(one, secret)
    await until(two, secret, id, "running")
    const paused = await call(`${two.url}/v1/jobs/${id}/pause`, { secret, method: "POST" })
    expect([paused.status, (JSON.parse(paused.text) as Told).state]).toEqual([200, "paused"])
    const { received } = await counts(all)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect((await counts(all)).received).toBe(received)
    expect((await call(`${three.url}/v1/jobs/${id}/pause`, { secret, method: "POST" })).status).toBe(409)
    expect((await call(`${three.url}/v1/jobs/${id}/resume`, { secret, method: "POST" })).status).toBe(200)
    await vi.waitUntil(async () => (await counts(all)).received > received, { timeout: 10_000, interval: 50 })
    const cancelled = await call(`${one.url}/v1/jobs/${id}/cancel`, { secret, method: "POST" })
    expect((JSON.parse(cancelled.text) as Told).state).toBe("cancelled")
    for (const replica of all) await until(replica, secret, id, "cancelled")
    expect(await counts(all)).toMatchObject({ overlaps: 0 })
    expect((await call(`${two.url}/v1/jobs/${id}`, { secret, method: "DELETE" })).status).toBe(204)
    expect((await call(`${three.url}/v1/jobs/${id}`, { secret })).status).toBe(404)
  })

  it("take a call to whoever has the customer's lane, by any route", ofUs, async () => {
    const all = await replicas(2)
    const [one, other] = all as [Running, Running]
    const { secret } = await keyOf(all)
    const [mine, theirs] = [customerOf(one), customerOf(other)]
    for (const customer of [mine, theirs]) {
      const dropIn = await call(one.url + enrolPath(), { secret, body: enrolBody(customer) })
      expect([dropIn.status, JSON.parse(dropIn.text)]).toEqual([200, { data: customer, errors: null, warnings: null }])
      const record = JSON.stringify({ customerId: customer, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3" })
      // In already: the owner's answer, as it is, through the other one.
      expect(JSON.parse((await call(`${one.url}/v1/enrollments`, { secret, body: record })).text)).toMatchObject({ outcome: "already_enrolled", code: 310119 })
      expect((await call(`${one.url}/v1/customers/${customer}/target-groups`, { secret })).status).toBe(200)
    }
    const calls = ({ metrics, upstreams }: Running): ReadonlyArray<string> =>
      [...metrics.render({ upstreams, jobs: {}, lanes: 64 }).matchAll(/^milepost_proxy_upstream_calls_total\{.*operation="(\w+)".*\} (\d+)$/gm)].map(([, operation, count]) => `${operation} ${count}`).sort()
    expect(calls(one)).toEqual(calls(other))
    const batch = JSON.stringify({ records: customers.slice(0, 50).map((customerId) => ({ customerId, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_2" })) })
    const answer = await call(`${other.url}/v1/enrollments/batch`, { secret, body: batch })
    expect((JSON.parse(answer.text) as { readonly results: ReadonlyArray<unknown> }).results).toHaveLength(50)
    expect((await counts(all)).overlaps).toBe(0)
  })

  it("keep the calls of one customer apart, also from a job's, wherever they come in", ofUs, async () => {
    const all = await replicas(3, { simulation: slow })
    const { secret } = await keyOf(all)
    const [one] = all as [Running]
    const { id } = await upload(one, secret)
    const asked = customers.slice(0, 40).flatMap((customerId) =>
      all.map(({ url }) =>
        call(`${url}/v1/enrollments`, { secret, body: JSON.stringify({ customerId, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_2" }) })))
    const statuses = new Set((await Promise.all(asked)).map(({ status }) => status))
    expect([...statuses].filter((status) => status >= 500)).toEqual([])
    await until(one, secret, id, "finished")
    expect((await counts(all)).overlaps).toBe(0)
  })

  it("know one another's keys and first answers", ofUs, async () => {
    const all = await replicas(2)
    const [one, other] = all as [Running, Running]
    const { id, secret } = await keyOf(all)
    const again = { secret, body: JSON.stringify({ customerId: 1_000_050, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3" }), headers: { "idempotency-key": "once" } }
    const first = await call(`${one.url}/v1/enrollments`, again)
    const replayed = await call(`${other.url}/v1/enrollments`, again)
    expect([replayed.status, replayed.text, replayed.headers.get("idempotent-replayed")]).toEqual([200, first.text, "true"])
    expect((await call(`${other.url}/v1/enrollments`, { ...again, body: again.body.replace("1000050", "1000051") })).status).toBe(422)
    await one.revoke(id)
    await vi.waitUntil(async () => (await call(`${other.url}/v1/jobs`, { secret })).status === 401, { timeout: 5_000, interval: 50 })
  })

  it("go on with what one of them leaves, and send nothing twice", ofUs, async () => {
    const all = await replicas(3, { simulation: slow, orgs: [{ MILEPOST_CONCURRENCY: "4" }] })
    const [one, two, three] = all as [Running, Running, Running]
    const { secret } = await keyOf(all)
    const { id } = await upload(one, secret)
    await vi.waitUntil(async () => (await counts(all)).received > 10, { timeout: 10_000, interval: 20 })
    await three.stopServing()
    await until(two, secret, id, "finished")
    await vi.waitUntil(() => held(one) + held(two) === 64, { timeout: 10_000, interval: 50 })
    const known = await counts(all)
    expect(known).toMatchObject({ received: customers.length, overlaps: 0 })
  })

  it.skipIf(!Databases.isOurs)("say why they do not send while the database is away, and go on when it is back", ofUs, async () => {
    const all = await replicas(2, { simulation: slow, orgs: [{ MILEPOST_CONCURRENCY: "2" }] })
    const [one, other] = all as [Running, Running]
    const { secret } = await keyOf(all)
    const { id } = await upload(one, secret)
    await vi.waitUntil(async () => (await counts(all)).received > 5, { timeout: 10_000, interval: 20 })
    await server.stop("immediate")
    try {
      let why = ""
      await vi.waitUntil(async () => {
        const { status, text } = await call(`${one.url}/readyz`)
        why = text
        return status === 503
      }, { timeout: 10_000, interval: 50 })
      expect(why).toMatch(/^the leases of this replica were refreshed \d+ s ago/)
      expect((await call(`${one.url}/healthz`)).status).toBe(200)
      await vi.waitUntil(() => held(one) + held(other) === 0, { timeout: 10_000, interval: 50 })
      const { received } = await counts(all)
      // Nobody may send: a caller is told so, and nothing leaves.
      const answer = await call(`${one.url}/v1/enrollments`, { secret, body: JSON.stringify({ customerId: 1_000_050, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_2" }) })
      expect([answer.status, answer.headers.has("retry-after")]).toEqual([503, true])
      expect((await counts(all)).received).toBe(received)
    } finally {
      await server.start()
    }
    await until(other, secret, id, "finished")
    expect(await counts(all)).toMatchObject({ received: customers.length, overlaps: 0 })
    await vi.waitUntil(async () => (await call(`${one.url}/readyz`)).status === 200, { timeout: 10_000, interval: 50 })
  })

  it("have nothing to say to who does not know their secret, nor tell it", ofUs, async () => {
    const [one] = await replicas(1) as [Running]
    const { secret } = await keyOf([one])
    const said = Forwarded.write({ org: "brand", priority: "interactive", request: { operation: "enroll", method: "POST", path: enrolPath().slice(0, 60), body: "[]", customerId: 1_000_050 as never } })
    for (const authorization of [undefined, "Bearer x", `Bearer ${secret}`]) {
      const answer = await call(one.url + Forwarded.path, { body: said, headers: authorization === undefined ? {} : { authorization } })
      expect(answer.status).toBe(404)
    }
    expect((await counts([one])).received).toBe(0)
    expect(one.logged()).not.toContain(secret)
  })
})
