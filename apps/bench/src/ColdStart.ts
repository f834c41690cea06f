/** The second benchmark: how long commands take from start to exit, beside a Node that does nothing. */
import { spawnSync } from "node:child_process"
import { tmpdir } from "node:os"
import * as Milepost from "./Milepost.js"
import * as Results from "./Results.js"
import * as Rounds from "./Rounds.js"

interface Command {
  readonly title: string
  readonly args: ReadonlyArray<string>
  /** What it must print: a command that fails early would be fast. */
  readonly prints: RegExp
}

const names = ["node", "version", "help", "errors", "enroll"] as const

type Name = (typeof names)[number]

const single = ["--group", "2154", "--target", "2309", "--customer", "564332013", "--period", "Cycle_1"]

const commands: Readonly<Record<Name, Command>> = {
  node: { title: "node -e 0", args: ["-e", "0"], prints: /^$/ },
  version: { title: "milepost --version", args: [Milepost.bin, "--version"], prints: /^\d+\.\d+\.\d+\n$/ },
  help: { title: "milepost --help", args: [Milepost.bin, "--help"], prints: /--version[\s\S]*bulk/ },
  errors: { title: "milepost errors 310017", args: [Milepost.bin, "errors", "310017"], prints: /310017/ },
  enroll: {
    title: "milepost enroll --sandbox",
    args: [Milepost.bin, "enroll", "--sandbox", ...single, "--json"],
    prints: /"outcome":"enrolled"/
  }
}

/** Runs a command to its end; returns the milliseconds that it took. */
const spawnMillis = ({ args, prints, title }: Command): number => {
  const before = performance.now()
  const { status, stderr, stdout } = spawnSync(process.execPath, args, {
    cwd: tmpdir(),
    env: Milepost.bareEnvironment,
    encoding: "utf8"
  })
  const millis = performance.now() - before
  if (status !== 0 || !prints.test(stdout)) throw new Error(`${title} exited ${status} and printed:\n${stdout}${stderr}`)
  return millis
}

/** The rows of the table out of the milliseconds of every round. */
export const rowsOf = (measured: ReadonlyMap<Name, ReadonlyArray<number>>): ReadonlyArray<Results.StartRow> => {
  const bare = measured.get("node") ?? []
  return names.map((name) => {
    const millis = measured.get(name) ?? []
    return { name, title: commands[name].title, millis: Rounds.summary(millis), toNode: Rounds.ratios(millis, bare) }
  })
}

const promised: Readonly<Record<string, number>> = { version: 1.3, help: 3 }

/** What the CLI promises. */
export const thresholdsOf = (rows: ReadonlyArray<Results.StartRow>): ReadonlyArray<Results.Threshold> =>
  rows.flatMap(({ name, title, toNode }) => {
    const limit = promised[name]
    return limit === undefined ? [] : [Results.atMost(`${title}, time beside node -e 0`, limit, toNode.median)]
  })

/** Runs it. */
export const run = async (rounds: number, say: (line: string) => void): Promise<Results.StartSection> => {
  // The first start of each reads its files from the disk, the others from memory.
  for (const name of names) spawnMillis(commands[name])
  const measured = await Rounds.interleaved(names, rounds, (name, round) => {
    if (name === "node") say(`round ${round + 1} of ${rounds}`)
    return spawnMillis(commands[name])
  })
  const rows = rowsOf(measured)
  return {
    ...Results.section(),
    rounds,
    rows,
    thresholds: thresholdsOf(rows)
  }
}
