import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Ids from "@milepost/core/Ids"
import * as Transport from "@milepost/core/Transport"
import { MalformedAnswer, NoAnswer, NotSent, type TransportError } from "@milepost/core/TransportError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { performance } from "node:perf_hooks"
import * as Bodies from "../server/Bodies.js"
import * as Exchange from "../server/Exchange.js"
import type * as Gate from "../upstream/Gate.js"
import type { Org } from "../upstream/Org.js"
import * as Upstream from "../upstream/Upstream.js"
import * as Forwarded from "./Forwarded.js"
import * as Internal from "./Internal.js"
import type { Owner } from "./Owners.js"
import * as Router from "./Router.js"

const secret = Redacted.make("between-replicas")

const request = (customer: number, timeoutMillis?: number): Transport.Request => ({
  operation: "enroll",
  method: "POST",
  path: "/targetGroups/1/targets/2/enroll",
  body: `[{"customerId":${customer}}]`,
  customerId: Either.getOrThrow(Ids.customerId(customer)),
  ...(timeoutMillis === undefined ? {} : { timeoutMillis })
})

/** An upstream whose calls end when the test says so, and which sees who meets whom. */
const calls = () => {
  const waiting: Array<{ readonly customer: number; readonly end: (exit: Exit.Exit<Transport.Response, TransportError>) => void }> = []
  const atWork = new Map<number, number>()
  let overlaps = 0
  const inner: Gate.Inner = {
    begin: null,
    send: ({ customerId }) =>
      Effect.async((resume) => {
        if (atWork.has(customerId)) overlaps += 1
        atWork.set(customerId, 1)
        waiting.push({
          customer: customerId,
          end: (exit) => {
            atWork.delete(customerId)
            resume(exit)
          }
        })
      })
  }
  const until = async (count: number): Promise<void> => {
    while (waiting.length < count) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return {
    inner,
    waiting,
    until,
    overlaps: () => overlaps,
    answer: (index: number) => waiting[index]!.end(Exit.succeed({ status: 200, headers: { date: "today" }, body: `{"data":${waiting[index]!.customer}}`, requestId: "r-1" })),
    fail: (index: number, error: TransportError) => waiting[index]!.end(Exit.fail(error))
  }
}

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const scoped = async <A>(effect: Effect.Effect<A, never, Scope.Scope>): Promise<A> => {
  const scope = Effect.runSync(Scope.make())
  closing.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return await Effect.runPromise(Scope.extend(effect, scope))
}

/** A replica: an upstream with its own gate, a port for the others, and what it believes of the lanes. */
const replica = async (queue = 100) => {
  const upstreamCalls = calls()
  let owner: Owner | null = "self"
  const owners = {
    lanes: 64,
    holds: () => owner === "self",
    enter: () => owner === "self" ? () => undefined : null,
    ownerOf: () => owner
  }
  const { route, tell } = await scoped(Router.make({ owners, secret, refresh: Effect.void }))
  let looks = 0
  const upstream = await Effect.runPromise(Upstream.make({
    org: { id: "brand", limits: { callsPerSecond: null, concurrency: 8 } } as unknown as Org,
    inner: upstreamCalls.inner,
    queue,
    watch: () => undefined,
    route
  }))
  const bodies = await scoped(Bodies.make(() => performance.now()))
  const internal = await Effect.runPromise(Internal.make({ owners, bodies, secret, look: () => void (looks += 1), upstreams: { get: (id) => id === "brand" ? upstream : undefined } }))
  const server = Http.createServer({ IncomingMessage: Exchange.Incoming }, (req, res) => {
    Exchange.begin(req, () => "id", 0)
    if (internal(req, res)) return
    res.statusCode = 404
    res.end()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  closing.push(close)
  return {
    ...upstreamCalls,
    upstream,
    tell,
    looks: () => looks,
    close,
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    believes: (who: Owner | null) => void (owner = who),
    call: (customer: number, timeoutMillis?: number) =>
      Effect.runPromiseExit(upstream.call(customer, Effect.flatMap(Transport.Transport, (transport) => transport.send(request(customer, timeoutMillis)))))
  }
}

const two = async (queueOfOwner?: number) => {
  const [one, owner] = [await replica(), await replica(queueOfOwner)]
  one.believes({ id: "other", address: owner.address })
  return { one, owner }
}

const answered = { status: 200, headers: { date: "today" }, body: `{"data":7}`, requestId: "r-1" }

describe("Router", () => {
  it("has the owner of the lane make the call, and gives back its answer", async () => {
    const { one, owner } = await two()
    const call = one.call(7)
    await owner.until(1)
    owner.answer(0)
    assert.deepStrictEqual(await call, Exit.succeed(answered))
    assert.strictEqual(one.waiting.length, 0)
  })

  it("does so without a fiber as well", async () => {
    const { one, owner } = await two()
    const ended = new Promise((resolve) => one.upstream.attempt(request(7), Either.right, ({ result }) => resolve(result)))
    await owner.until(1)
    owner.answer(0)
    assert.deepStrictEqual(await ended, Either.right(answered))
    assert.strictEqual(one.upstream.inside(), 0)
  })

  it("keeps calls of one customer apart, whichever replica they came to", async () => {
    const { one, owner } = await two()
    const both = [owner.call(7), one.call(7), one.call(7), owner.call(7)]
    for (let index = 0; index < both.length; index++) {
      await owner.until(index + 1)
      await new Promise((resolve) => setTimeout(resolve, 10))
      assert.strictEqual(owner.waiting.length, index + 1)
      owner.answer(index)
    }
    assert.deepStrictEqual((await Promise.all(both)).map(Exit.isSuccess), [true, true, true, true])
    assert.strictEqual(owner.overlaps() + one.overlaps(), 0)
  })

  it("follows a lane that moves to this replica before the call has begun", async () => {
    const { one, owner } = await two()
    owner.believes(null)
    const call = one.call(7)
    await new Promise((resolve) => setTimeout(resolve, 50))
    one.believes("self")
    await one.until(1)
    one.answer(0)
    assert.deepStrictEqual(await call, Exit.succeed(answered))
    assert.strictEqual(owner.waiting.length, 0)
  })

  it("says that nothing was sent where nobody has the lane, or nobody listens where its owner was", async () => {
    const { one, owner } = await two()
    one.believes(null)
    const nobody = await one.call(7, 300)
    assert.strictEqual(Exit.isFailure(nobody) && nobody.cause._tag === "Fail" && nobody.cause.error._tag === "NotSent", true)
    await owner.close()
    one.believes({ id: "other", address: owner.address })
    const gone = await one.call(7, 300)
    assert.strictEqual(Exit.isFailure(gone) && gone.cause._tag === "Fail" && gone.cause.error._tag === "NotSent", true)
  })

  it("says at once why the owner takes no more calls, and that this one was not sent", async () => {
    const { one, owner } = await two(1)
    const first = one.call(7)
    await owner.until(1)
    const second = await one.call(8, 60_000)
    assert.deepStrictEqual(
      second,
      Exit.fail(new NotSent({ reason: "Closed", message: "1 calls to organisation brand wait already. The call was not sent." }))
    )
    owner.answer(0)
    assert.deepStrictEqual(await first, Exit.succeed(answered))
  })

  it("does not know what became of a call whose owner goes away, or is too slow", async () => {
    const { one, owner } = await two()
    const call = one.call(7)
    await owner.until(1)
    await owner.close()
    const exit = await call
    assert.strictEqual(Exit.isFailure(exit) && exit.cause._tag === "Fail" && exit.cause.error._tag === "NoAnswer", true)
  })

  it("gives the owner's errors back as they are", async () => {
    const errors = [
      new NotSent({ reason: "Dns", message: "no such host" }),
      new NoAnswer({ reason: "Timeout", message: "too late", requestId: "r" }),
      new MalformedAnswer({ reason: "NotJson", message: "a page", status: 200, requestId: null })
    ]
    const { one, owner } = await two()
    for (const [index, error] of errors.entries()) {
      const call = one.call(7)
      await owner.until(index + 1)
      owner.fail(index, error)
      const exit = await call
      const failure = Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error as TransportError : undefined
      assert.deepStrictEqual([failure?._tag, failure?.message], [error._tag, error.message])
    }
  })
})

describe("the route between replicas", () => {
  const post = (address: string, authorization: string, body: string) =>
    fetch(new URL(Forwarded.path, address), { method: "POST", headers: { authorization, "content-type": "application/json" }, body })
  const said = Forwarded.write({ org: "brand", priority: "interactive", request: request(7) })

  it("does not exist for who does not know the secret", async () => {
    const owner = await replica()
    for (const authorization of ["", "Bearer wrong", "between-replicas", "Bearer between-replicas "]) {
      // A trailing space is trimmed on the way.
      const { status } = await post(owner.address, authorization, "{}")
      assert.strictEqual(status, authorization.endsWith(" ") ? 400 : 404)
    }
    assert.strictEqual(owner.waiting.length, 0)
  })

  it("makes no call for a lane of another replica, an organisation that it does not know, or words that are not ours", async () => {
    const owner = await replica()
    const right = `Bearer ${Redacted.value(secret)}`
    owner.believes({ id: "x", address: "http://127.0.0.1:1" })
    assert.strictEqual((await post(owner.address, right, said)).status, 421)
    owner.believes("self")
    assert.strictEqual((await post(owner.address, right, said.replace("brand", "other"))).status, 421)
    for (const strange of ["", "{}", said.replace("POST", "PUT"), said.replace("/targetGroups", "http://elsewhere"), said.replace(`,"customerId":7`, `,"customerId":0`)]) {
      assert.strictEqual((await post(owner.address, right, strange)).status, 400)
    }
    assert.strictEqual(owner.waiting.length, 0)
  })

  it("has whoever is told look at once, and minds nobody who is not there", async () => {
    const [one, other] = [await replica(), await replica()]
    one.tell([other.address, "http://127.0.0.1:9"])
    while (other.looks() === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    assert.deepStrictEqual([one.looks(), other.looks()], [0, 1])
    assert.strictEqual((await fetch(new URL(Forwarded.lookPath, other.address), { method: "POST" })).status, 404)
    assert.strictEqual(other.looks(), 1)
  })

  it("reads what it writes", () => {
    const call: Forwarded.Forwarded = { org: "brand", priority: "batch", request: request(7, 900) }
    assert.deepStrictEqual(Forwarded.read(Forwarded.write(call)), Option.some(call))
  })
})
