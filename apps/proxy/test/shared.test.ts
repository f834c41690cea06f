/** What several replicas keep in one real PostgreSQL: keys, first answers, a secret, and what they say when it is gone. */
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import { SqlClient } from "@effect/sql/SqlClient"
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "@effect/vitest"
import * as PostgresServer from "@milepost/testing/PostgresServer"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { inspect } from "node:util"
import * as Idempotency from "../src/api/Idempotency.js"
import * as Problem from "../src/api/Problem.js"
import * as Database from "../src/Database.js"
import * as Keys from "../src/keys/Keys.js"
import * as Store from "../src/Store.js"
import * as Databases from "./databases.js"
import { call, start } from "./running.js"

let server: PostgresServer.PostgresServer
const replicas: Array<Databases.Replica> = []

beforeAll(async () => {
  server = await PostgresServer.start()
})
afterEach(async () => {
  for (const one of replicas.splice(0)) await one.stop()
})
afterAll(() => server.close())

const emptyDatabase = (): Promise<string> => Databases.make(server)

/** A replica that is stopped with the test. */
const replica = async (url: string): Promise<Databases.Replica> => {
  const made = await Databases.replica(url)
  replicas.push(made)
  return made
}

/** Waits for what is to come true; the test's own time limits it. */
const until = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 20))
}

const grant = { name: "app", orgs: ["brand"], targetGroups: [2154], perMinute: 600 }

describe("the tables of a shared database", () => {
  it("are made once by replicas that start together, who also agree on their secret", async () => {
    const url = await emptyDatabase()
    const started = await Promise.all(Array.from({ length: 4 }, () => replica(url)))
    const secrets = await Promise.all(started.map(({ run }) => run(Store.clusterSecret)))
    expect(new Set(secrets.map(Redacted.value)).size).toBe(1)
    expect(await started[0]!.run(Effect.flatMap(SqlClient, (sql) => sql`SELECT version FROM proxy_migrations ORDER BY version`)))
      .toEqual(Array.from({ length: Store.known }, (_, index) => ({ version: index + 1 })))
  })

  it("tell from which version they came, once", async () => {
    const url = await emptyDatabase()
    const migrating = () =>
      Effect.runPromise(Effect.provide(Database.migrate(Databases.placeOf(url), { patienceMillis: 1, waiting: () => undefined }), NodeFileSystem.layer))
    const [ledger, proxy] = await migrating()
    expect([ledger?.part, ledger?.from, proxy]).toEqual(["ledger", 0, { part: "proxy", from: 0, to: Store.known }])
    expect((await migrating()).map(({ from, to }) => from === to)).toEqual([true, true])
  })

  it("of a newer program are refused by one line", async () => {
    const url = await emptyDatabase()
    const { run } = await replica(url)
    await run(Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO proxy_migrations (version, created_at) VALUES (99, 0)`))
    const refused = await Effect.runPromise(Effect.scoped(Effect.flip(Databases.open(url))))
    expect(refused.message).toMatch(/^DATABASE_URL: the proxy's tables have version 99, this program knows up to \d+; use a newer one$/)
  })
})

describe("keys in a shared database", () => {
  it("that another replica creates or revokes hold here before long", async () => {
    const url = await emptyDatabase()
    const [one, two] = await Promise.all([replica(url), replica(url)])
    const [here, there] = await Promise.all([one.run(Keys.make), two.run(Keys.make)])
    const { key, secret } = await one.run(here.create(grant))
    expect(key.createdMillis).toBeGreaterThan(2 ** 31)
    await until(() => there.find(Redacted.value(secret)) !== null)
    expect(there.find(Redacted.value(secret))).toEqual(key)
    const revoked = await two.run(there.revoke(key.id))
    expect(revoked?.revokedMillis).toBeGreaterThan(2 ** 31)
    expect(there.find(Redacted.value(secret))).toBeNull()
    await until(() => here.find(Redacted.value(secret)) === null)
    expect(await one.run(here.list)).toEqual([revoked])
    // The first moment counts, and what is not there is nobody's.
    expect(await one.run(here.revoke(key.id))).toEqual(revoked)
    expect(await one.run(here.revoke("key_none"))).toBeNull()
  })

  it("are sought once where they are not known, and guesses do not hammer the database", async () => {
    const url = await emptyDatabase()
    const [one, two] = await Promise.all([replica(url), replica(url)])
    let statements = 0
    const counting = Effect.map(SqlClient, (sql) =>
      new Proxy(sql, {
        apply: (target, self, given) => {
          statements += 1
          return Reflect.apply(target, self, given) as unknown
        }
      }))
    const here = await one.run(Keys.make)
    const there = await two.run(Effect.provideServiceEffect(Keys.make, SqlClient, counting))
    const { secret } = await one.run(here.create(grant))
    expect(await two.run(there.seek(Redacted.value(secret)))).not.toBeNull()
    const begun = performance.now()
    const before = statements
    for (let round = 0; round < 50; round++) {
      const guesses = Array.from({ length: 100 }, (_, n) => there.seek(`mp_guess-${round}-${n}`))
      expect((await two.run(Effect.all(guesses, { concurrency: "unbounded" }))).every((found) => found === null)).toBe(true)
    }
    const seconds = (performance.now() - begun) / 1_000
    // Five looks a second, beside the one that goes on by itself.
    expect(statements - before).toBeLessThan(8 + 6 * seconds)
  })

  it.skipIf(!Databases.isOurs)("go on from memory while the database is away, and follow it again afterwards", async () => {
    const url = await emptyDatabase()
    const [one, two] = await Promise.all([replica(url), replica(url)])
    const [here, there] = await Promise.all([one.run(Keys.make), two.run(Keys.make)])
    const { key, secret } = await one.run(here.create(grant))
    await server.stop("immediate")
    try {
      expect(here.find(Redacted.value(secret))).toEqual(key)
      expect(await one.run(here.seek("mp_unknown"))).toBeNull()
      const failed = await one.run(Effect.flip(here.create(grant)))
      expect(failed.message).toBe("the data cannot be written just now: the database cannot be reached, or refuses it")
      expect(inspect(failed, { depth: 9, showHidden: true }) + JSON.stringify(failed)).not.toContain(Databases.canary)
    } finally {
      await server.start()
    }
    expect(here.find(Redacted.value(secret))).toEqual(key)
    await until(() => there.find(Redacted.value(secret)) !== null)
    const { secret: second } = await one.run(here.create(grant))
    await until(() => there.find(Redacted.value(second)) !== null)
  })
})

describe("first answers in a shared database", () => {
  const request = { owner: "key_1", key: "k", fingerprint: Idempotency.fingerprint("enroll", "{}") }
  const answer = (body: string, status = 200): Effect.Effect<Idempotency.Answer> => Effect.succeed({ status, headers: {}, body })
  const never = new Set<string>()

  /** Two replicas that take those in the set for gone. */
  const two = async (gone: ReadonlySet<string> = never) => {
    const url = await emptyDatabase()
    const service = async (self: string) => {
      const { run, stop } = await replica(url)
      const idempotency = await run(Idempotency.make({ self, isLiving: (id) => Effect.sync(() => !gone.has(id)) }))
      return { once: (effect: Effect.Effect<Idempotency.Answer, Problem.Problem>, asked = request) => idempotency.once(asked, effect), run, stop }
    }
    return await Promise.all([service("one"), service("two")])
  }

  /** A request that is being answered until it is told how. */
  const running = async ({ once }: { readonly once: Awaited<ReturnType<typeof two>>[0]["once"] }) => {
    const begun = await Effect.runPromise(Deferred.make<void>())
    const ended = await Effect.runPromise(Deferred.make<Idempotency.Answer>())
    const fiber = Effect.runFork(once(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(ended))))
    await Effect.runPromise(Deferred.await(begun))
    return (body: string) =>
      Effect.runPromise(Effect.zipRight(Deferred.succeed(ended, { status: 200, headers: {}, body }), Fiber.join(fiber)))
  }

  const typeOf = (effect: Effect.Effect<Idempotency.Answer, Problem.Problem>) => Effect.runPromise(Effect.map(Effect.flip(effect), ({ type }) => type))

  it("are waited for while another replica is at work, and then given again there", async () => {
    const [one, other] = await two()
    const end = await running(one)
    expect(await typeOf(other.once(answer("twice")))).toBe(Problem.typeOf("still-running"))
    expect(await typeOf(one.once(answer("twice")))).toBe(Problem.typeOf("still-running"))
    expect(await typeOf(other.once(answer("twice"), { ...request, fingerprint: "other" }))).toBe(Problem.typeOf("other-request"))
    expect((await end("first")).body).toBe("first")
    const again = await Effect.runPromise(other.once(answer("twice")))
    expect([again.body, again.headers["idempotent-replayed"]]).toEqual(["first", "true"])
  })

  it("of a replica that is gone are taken over by one of those who ask, and it writes nothing over them", async () => {
    const gone = new Set<string>()
    const [one, other] = await two(gone)
    const end = await running(one)
    gone.add("one")
    let calls = 0
    const counted = Effect.zipRight(Effect.sync(() => (calls += 1)), Effect.delay(answer("taken over"), "200 millis"))
    const exits = await Promise.all(Array.from({ length: 5 }, () => Effect.runPromise(Effect.either(other.once(counted)))))
    expect(calls).toBe(1)
    expect(exits.filter(({ _tag }) => _tag === "Right")).toHaveLength(1)
    // It wakes up: whoever asked it gets what it has, and what is kept is the other one's.
    expect((await end("late")).body).toBe("late")
    expect((await Effect.runPromise(one.once(answer("third")))).body).toBe("taken over")
  })

  it("of an earlier life of the same replica are taken over", async () => {
    const [one, other] = await two()
    await running(one)
    const url = await other.run(Idempotency.make({ self: "one", isLiving: () => Effect.succeed(true) }))
    expect((await Effect.runPromise(url.once(request, answer("again")))).body).toBe("again")
  })

  it("start with nothing forgotten: who starts does not touch what another one has begun", async () => {
    const [one, other] = await two()
    const end = await running(one)
    await other.run(Idempotency.make({ self: "three", isLiving: () => Effect.succeed(true) }))
    expect(await typeOf(other.once(answer("twice")))).toBe(Problem.typeOf("still-running"))
    await end("first")
  })

  it.skipIf(!Databases.isOurs)("that cannot be kept while the database is away are kept when it is back", async () => {
    const [one, other] = await two()
    const end = await running(one)
    await server.stop("immediate")
    try {
      expect((await end("first")).body).toBe("first")
      const refused = await Effect.runPromise(Effect.flip(other.once(answer("twice"))))
      expect([refused.status, refused.detail]).toEqual([503, "the data cannot be written just now: the database cannot be reached, or refuses it"])
      expect(inspect(refused, { depth: 9 }) + JSON.stringify(refused)).not.toContain(Databases.canary)
    } finally {
      await server.start()
    }
    const again = Effect.retry(other.once(answer("twice")), { while: ({ status }) => status === 409 || status === 503, times: 500, schedule: Schedule.spaced("20 millis") })
    expect((await Effect.runPromise(again)).body).toBe("first")
  })
})

describe("jobs in a shared database", () => {
  it("are stored, sent and told of as in a file, and are there at the next start", async () => {
    const database = await emptyDatabase()
    const first = await start({ database })
    const { secret } = await first.key()
    const headers = { "content-type": "text/csv" }
    const stored = await call(`${first.url}/v1/jobs?group=2154&target=2309&period=Cycle_3`, { secret, headers, body: "customerId\n1050\n5\nx\n1050\n" })
    expect([stored.status, stored.text]).toEqual([202, expect.stringContaining("\"id\"")])
    const { id } = JSON.parse(stored.text) as { readonly id: string }
    const told = async (url: string) => JSON.parse((await call(`${url}/v1/jobs/${id}`, { secret })).text) as { readonly state: string }
    await vi.waitUntil(async () => (await told(first.url)).state === "finished", { timeout: 60_000, interval: 20 })
    const job = { state: "finished", records: 4, counts: { enrolled: 1, rejected: 2, skipped: 1 } }
    expect(await told(first.url)).toMatchObject(job)
    await first.stopServing()
    const second = await start({ database, simulatorUrl: first.simulatorUrl })
    expect(await told(second.url)).toMatchObject(job)
    const results = await call(`${second.url}/v1/jobs/${id}/results`, { secret })
    expect(results.text.split("\r\n")).toHaveLength(4 + 2)
    const [row] = await (await replica(database)).run(Effect.flatMap(SqlClient, (sql) =>
      sql<{ readonly created_at: number; readonly ended_at: number }>`SELECT created_at, ended_at FROM proxy_jobs`))
    expect(row?.created_at).toBeGreaterThan(2 ** 31)
    expect(row?.ended_at).toBeGreaterThanOrEqual(row?.created_at ?? Number.NaN)
    expect((await call(`${second.url}/v1/jobs/${id}`, { secret, method: "DELETE" })).status).toBe(204)
    expect((await call(`${second.url}/v1/jobs/${id}`, { secret })).status).toBe(404)
  })
})
