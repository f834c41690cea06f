/**
 * Who enrols in memory: the transport port alone, and the SDK's program over it, both into a simulator; and the same program
 * over a transport that answers at once, which is what the program costs by itself.
 *
 * The work is that of the first benchmark: every customer is new, every outcome is looked at, as many calls are in flight.
 */
import * as Enroll from "@milepost/core/Enroll"
import * as Enrollment from "@milepost/core/Enrollment"
import * as Transport from "@milepost/core/Transport"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorTransport from "@milepost/simulator/SimulatorTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Client from "../Client.js"
import type { Client as Opened } from "../Contender.js"
import * as Milepost from "../contenders/Milepost.js"
import * as Fibers from "../Fibers.js"
import * as Work from "../Work.js"
import * as BenchWorld from "./BenchWorld.js"

/** Who takes part. */
export const names = ["transport", "outcome", "constant"] as const

/** The name of somebody who takes part. */
export type Name = (typeof names)[number]

/** As tables call them. */
export const titles: Readonly<Record<Name, string>> = {
  transport: "SimulatorTransport, send",
  outcome: "SimulatorTransport, Enroll.outcome",
  constant: "answers at once, Enroll.outcome"
}

/** A call through the port, its answer parsed and judged as every contender does. */
const send = (transport: Transport.Service) => (call: Work.Call) =>
  Effect.flatMap(Enrollment.milestone(call), (enrollment) =>
    Effect.map(transport.send(Enroll.request(enrollment)), ({ body, status }) => Work.ended(call, status, JSON.parse(body))))

/**
 * A client into a simulator; when a run is over, the simulator must have enrolled by as many calls as say so, and never have
 * had two at once for one customer.
 */
export const into = (simulator: Simulator.Service, name: Exclude<Name, "constant">): Opened => {
  const transport = SimulatorTransport.make(simulator)
  const client = name === "transport"
    ? Fibers.client(send(transport), Layer.empty)
    : Fibers.client(Milepost.outcome, Layer.succeed(Transport.Transport, transport))
  const counts = () => Effect.runPromise(simulator.journal.counts)
  return {
    run: async (run) => {
      const before = await counts()
      await client.run(run)
      const { executed, overlaps } = await counts()
      const enrolled = executed - before.executed
      if (enrolled !== run.enrolled() || overlaps > 0) {
        throw new Error(`${run.enrolled()} calls enrolled and the simulator enrolled by ${enrolled}, with ${overlaps} overlaps`)
      }
    },
    close: client.close
  }
}

/** Answers as late as the simulator does where nothing is to be waited for: with the next turn of the scheduler. */
const answering = Transport.layer(({ customerId }) =>
  Effect.as(Effect.yieldNow(), {
    status: 200,
    headers: { "content-type": "application/json" },
    body: `{"data":${customerId},"errors":null,"warnings":null}`,
    requestId: null
  }))

/** Opens a client, with a simulator of its own. */
export const open = async (name: Name): Promise<Opened> =>
  name === "constant"
    ? Fibers.client(Milepost.outcome, answering)
    : into(await Effect.runPromise(Simulator.make(BenchWorld.world)), name)

const isName = (word: string | undefined): word is Name => names.some((name) => name === word)

/** The process: `in-memory <name> <milliseconds to warm up>`. */
export const main = async ([name, warmUp]: ReadonlyArray<string>): Promise<void> => {
  if (!isName(name)) throw new Error(`nobody is called ${name}`)
  await Client.serve(await open(name), Number(warmUp))
}
