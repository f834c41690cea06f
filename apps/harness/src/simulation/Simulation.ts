/**
 * A whole run in memory: the engine and the ledger as they are, the simulated upstream, and a machine that a seed decides.
 *
 * One sitting comes after the other, as people have it: a process is killed or cancelled, the next one takes the ledger up,
 * and the last one ends the run. Where a plan has several replicas, `Fleet` runs it. What was seen on the way is judged by
 * `Invariants`.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import * as Transport from "@milepost/core/Transport"
import * as Engine from "@milepost/engine/Engine"
import * as Lanes from "@milepost/engine/Lanes"
import * as Ledger from "@milepost/ledger/Ledger"
import * as MemoryLedger from "@milepost/ledger/MemoryLedger"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Fleet from "./Fleet.js"
import type * as Machine from "./Machine.js"
import type { Plant } from "./Plant.js"
import { placeOf, type Plan } from "./Plan.js"
import * as Stage from "./Stage.js"

/** Puts a process's statements and calls where it can be killed at each of them. */
const mortal = (process: Machine.Process, machine: Machine.Machine, plan: Plan, killedAt: number, onKilled: (point: number) => void) => {
  let points = 0
  const passes = (): boolean => {
    if (!process.isAlive()) return false
    points += 1
    if (points !== killedAt) return true
    onKilled(points)
    process.kill()
    return false
  }
  const through = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => passes() ? Effect.flatMap(self, (result) => passes() ? Effect.succeed(result) : Stage.dead) : Stage.dead)
  const statement = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    through(process.waited(self, Math.floor(machine.draw("statement") * plan.statementMillis)))
  return {
    around: (connection: Connection): Connection => ({
      execute: (...args) => statement(connection.execute(...args)),
      executeRaw: (...args) => statement(connection.executeRaw(...args)),
      executeStream: (...args) => connection.executeStream(...args),
      executeUnprepared: (...args) => statement(connection.executeUnprepared(...args)),
      executeValues: (...args) => statement(connection.executeValues(...args))
    }),
    transport: (inner: Transport.Transport["Type"]): Transport.Transport["Type"] => ({ send: (request) => through(inner.send(request)) })
  }
}

const owners: Readonly<Record<Plan["owner"], Layer.Layer<Lanes.Lanes, unknown, SqlClient>>> = {
  cluster: Engine.layerSingle,
  fibers: Lanes.layerInProcess
}

/** Kills and cancellations that a plan has, stops that faults bring about, and a few more: a run that needs more does not end. */
const sittingsOf = (plan: Plan): number => plan.endings.length + plan.faults.length + 3

/** One process after another; what the run came to. */
const alone = async (stage: Stage.Stage): Promise<string> => {
  const { machine, memory, plan, planted, tell, told, upstream } = stage

  /** One process, until it has ended or was killed; how it ended, `null` where it was killed. */
  const sit = async (sitting: number): Promise<string | null> => {
    const ending = plan.endings[sitting - 1] ?? null
    const process = machine.process()
    const cancelled = Effect.runSync(Deferred.make<void>())
    const points = mortal(process, machine, plan, ending?.kind === "killed" ? placeOf(plan, ending) : Number.POSITIVE_INFINITY, (point) => {
      tell({ _tag: "Killed", sitting, point })
    })
    stage.forgetCallers()
    let sent = 0
    stage.onSent = () => {
      sent += 1
      if (ending?.kind !== "cancelled" || sent !== placeOf(plan, ending)) return
      tell({ _tag: "Cancelled", sitting })
      Deferred.unsafeDone(cancelled, Effect.void)
    }
    tell({ _tag: "Sitting", sitting })
    const transport: Transport.Service = {
      send: (request) =>
        Effect.async((resume) => upstream.begin({ process, number: sitting, sitting }, request, resume))
    }
    const life = Effect.scoped(Effect.gen(function*() {
      const context = yield* MemoryLedger.make(memory, { around: points.around })
      const lanes = yield* Effect.provide(Layer.build(owners[plan.owner]), context)
      const parts = {
        ledger: told(Context.get(context, Ledger.Ledger), sitting),
        transport: points.transport(transport),
        options: {
          org: "100458",
          callsPerSecond: plan.callsPerSecond,
          concurrency: plan.concurrency,
          chunkSize: plan.chunkSize,
          cancel: Deferred.await(cancelled)
        }
      }
      const { ledger, options, transport: used } = planted.within?.(parts) ?? parts
      return yield* Engine.run(Stage.id, options).pipe(
        Effect.provide(Context.merge(context, lanes).pipe(
          Context.add(Ledger.Ledger, ledger),
          Context.add(Transport.Transport, used)
        ))
      )
    }))
    let ended: Exit.Exit<Engine.RunEnd, unknown> | null = null
    process.run(Stage.quietly(life)).addObserver((exit) => {
      ended = exit
    })
    const how = machine.run(() => ended !== null || !process.isAlive())
    if (how !== "over") return how
    const exit = ended as Exit.Exit<Engine.RunEnd, unknown> | null
    if (exit === null) {
      await Effect.runPromise(memory.crash)
      if (planted.killed !== undefined) await Effect.runPromise(Effect.flatMap(Stage.ledgerOf(memory), planted.killed))
      return null
    }
    // What is over has no more to do; a poll of it that is left would go on for ever.
    process.kill()
    if (Exit.isFailure(exit)) throw stage.defect(exit.cause)
    const { state, stop } = exit.value
    tell({ _tag: "Ended", state, why: stop?.message ?? null })
    return state
  }

  let end: string | null = null
  for (let sitting = 1; end !== "finished" && end !== "stuck" && end !== "endless" && sitting <= sittingsOf(plan); sitting++) {
    end = await sit(sitting)
  }
  return end ?? "killed"
}

/** Runs a plan to its end, with a bug where one is planted. */
export const run = async (plan: Plan, plant: Plant | null = null): Promise<Stage.Simulated> => {
  const stage = await Stage.make(plan, plant)
  return await stage.left(plan.fleet === null ? await alone(stage) : await Fleet.run(stage, plan.fleet))
}
