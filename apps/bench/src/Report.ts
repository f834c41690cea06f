/** From results to what is printed: a table for each benchmark, and a line for each promise. */
import CliTable from "cli-table3"
import type {
  BulkSection, CapacitySection, EnrollSection, Machine, MemorySection, ProxySection, ReplicasSection, SimulatorSection, StartSection, Threshold
} from "./Results.js"
import type { Summary } from "./Rounds.js"

const bare = {
  "top": "", "top-mid": "", "top-left": "", "top-right": "",
  "bottom": "", "bottom-mid": "", "bottom-left": "", "bottom-right": "",
  "left": "", "left-mid": "", "mid": "", "mid-mid": "", "right": "", "right-mid": "", "middle": "  "
}

/** Rows under headings; the first column to the left, numbers to the right. */
const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const drawn = new CliTable({
    head: [...head],
    chars: bare,
    colAligns: head.map((_, column) => column === 0 ? "left" : "right"),
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true }
  })
  drawn.push(...rows.map((row) => [...row]))
  return drawn.toString().split("\n").map((line) => line.trimEnd()).join("\n")
}

const whole = (value: number): string => Math.round(value).toLocaleString("en")

const between = ({ max, min }: Summary, show: (value: number) => string): string => `${show(min)}–${show(max)}`

const ratio = (value: number): string => value.toFixed(2)

const percent = (value: number): string => `${Math.round(value * 100)} %`

const titled = (title: string, { node, platform, processors }: Machine, how: string, drawn: string): string =>
  `${title}\n${how}; ${processors} processors, Node ${node}, ${platform}\n\n${drawn}`

/** The table of the first benchmark. */
export const enroll = ({ inFlight, machine, millisPerTurn, rounds, rows, turnsPerRound }: EnrollSection): string =>
  titled(
    "Enrolments, calls a second and CPU a call",
    machine,
    `${inFlight} in flight; medians of ${rounds} × ${turnsPerRound} interleaved turns of ${millisPerTurn} ms`,
    table(
      ["client", "calls/s", "min–max", "÷ pool", "÷ fetch", "CPU µs/call", "CPU ÷ pool", "upstream busy"],
      rows.map((row) => [
        row.title,
        whole(row.callsPerSecond.median),
        between(row.callsPerSecond, whole),
        ratio(row.speedToPool.median),
        ratio(row.speedToFetch.median),
        whole(row.cpuMicrosPerCall.median),
        ratio(row.cpuToPool.median),
        percent(row.upstreamBusy.median)
      ])
    )
  )

/** The table of the second benchmark. */
export const start = ({ machine, rounds, rows }: StartSection): string =>
  titled(
    "Cold start, from start to exit",
    machine,
    `medians of ${rounds} interleaved rounds`,
    table(
      ["command", "ms", "min–max", "÷ node -e 0"],
      rows.map(({ millis, title, toNode }) => [
        title,
        millis.median.toFixed(1),
        between(millis, (value) => value.toFixed(0)),
        ratio(toNode.median)
      ])
    )
  )

/** The tables of the third benchmark, one for each upstream. */
export const bulk = ({ inFlight, loads, machine, rounds }: BulkSection): string =>
  loads.map(({ records, rows, waitMillis }) =>
    titled(
      `Bulk runs of ${whole(records)} records, upstream answers ${waitMillis === 0 ? "at once" : `after ${waitMillis} ms`}`,
      machine,
      `${inFlight} in flight; from start to exit; medians of ${rounds} interleaved rounds`,
      table(
        ["client", "records/s", "min–max", "÷ no ledger", "÷ undici", "÷ fetch", "CPU µs/record", "peak MB", "upstream busy"],
        rows.map((row) => [
          row.title,
          whole(row.recordsPerSecond.median),
          between(row.recordsPerSecond, whole),
          ratio(row.speedToCalls.median),
          ratio(row.speedToUndici.median),
          ratio(row.speedToFetch.median),
          whole(row.cpuMicrosPerRecord.median),
          whole(row.peakMegabytes.median),
          percent(row.upstreamBusy.median)
        ])
      )
    )).join("\n\n")

/** The table of the fourth benchmark. */
export const memory = ({ machine, rows }: MemorySection): string =>
  titled(
    "milepost bulk enroll, memory and speed by the size of the file",
    machine,
    "one run a size, against an upstream that answers at once",
    table(
      ["rows", "seconds", "rows/s", "÷ Enroll alone", "peak MB", "÷ smallest", "resident MB (median)", "ledger bytes/record", "resume s"],
      rows.map((row) => [
        whole(row.rows),
        row.seconds.toFixed(1),
        whole(row.rowsPerSecond),
        ratio(row.speedToEnroll),
        whole(row.peakMegabytes),
        ratio(row.peakToSmallest),
        whole(row.residentMegabytes),
        whole(row.ledgerBytesPerRecord),
        row.resumeSeconds === null ? "" : row.resumeSeconds.toFixed(1)
      ])
    )
  )

/** The tables of the fifth benchmark, one for each part. */
export const simulator = (section: SimulatorSection): string => {
  const { crowd, inFlight, inMemory, machine, millisPerTurn, rounds, server, simulated, turnsPerRound } = section
  const turns = `${inFlight} in flight; medians of ${rounds} × ${turnsPerRound} interleaved turns of ${millisPerTurn} ms`
  return [
    titled(
      "The simulator as a server, beside one that answers a constant",
      machine,
      turns,
      table(
        ["server", "calls/s", "min–max", "÷ plain", "CPU µs/call", "÷ plain by CPU", "server busy", "client busy"],
        server.map((row) => [
          row.title,
          whole(row.callsPerSecond.median),
          between(row.callsPerSecond, whole),
          ratio(row.speedToPlain.median),
          whole(row.serverMicrosPerCall.median),
          ratio(row.speedToPlainByCpu.median),
          percent(row.serverBusy.median),
          percent(row.clientBusy.median)
        ])
      )
    ),
    titled(
      "The simulator in memory",
      machine,
      turns,
      table(
        ["transport, call", "enrolments/s", "min–max", "÷ answers at once", "CPU µs/call"],
        inMemory.map((row) => [
          row.title,
          whole(row.callsPerSecond.median),
          between(row.callsPerSecond, whole),
          ratio(row.speedToConstant.median),
          row.cpuMicrosPerCall.median.toFixed(1)
        ])
      )
    ),
    titled(
      "The simulator's memory by enrolled customers",
      machine,
      "one process a crowd, every customer enrolled by a call in memory",
      table(
        ["customers", "seconds", "enrolments/s", "peak MB", "resident MB (median)", "looked at"],
        crowd.map((row) => [
          whole(row.customers),
          row.seconds.toFixed(1),
          whole(row.callsPerSecond),
          whole(row.peakMegabytes),
          whole(row.residentMegabytes),
          whole(row.sampled)
        ])
      )
    ),
    titled(
      "Whole runs over the simulator in memory, a seed each",
      machine,
      "as many processes as processors",
      table(
        ["runs", "records each", "seconds", "calls", "hours of their time", ...simulated.found.map(({ plant }) => plant)],
        [[
          whole(simulated.runs),
          whole(simulated.records),
          simulated.seconds.toFixed(1),
          whole(simulated.calls),
          simulated.virtualHours.toFixed(1),
          ...simulated.found.map(({ seed }) => `seed ${seed}`)
        ]]
      )
    )
  ].join("\n\n")
}

const oneDigit = (value: number): string => value.toFixed(1)

/** The tables of the sixth benchmark, one for each part. */
export const proxy = (section: ProxySection): string => {
  const { batch, batchRecords, dropIn, hasNginx, inFlight, machine, millisPerTurn, overload, rounds, turnsPerRound, uploads } = section
  return [
    titled(
      "The drop-in route, beside other proxies",
      machine,
      `${inFlight} in flight; medians of ${rounds} × ${turnsPerRound} interleaved turns of ${millisPerTurn} ms` +
        (hasNginx ? "" : "; nginx is not installed here"),
      table(
        ["proxy", "calls/s", "min–max", "÷ raw", "÷ route", "÷ plugin", "CPU µs/call", "÷ raw by CPU", "p50 ms", "p99 ms", "p99 ÷ route", "proxy busy", "upstream", "load"],
        dropIn.map((row) => [
          row.title,
          whole(row.callsPerSecond.median),
          between(row.callsPerSecond, whole),
          ratio(row.speedToRaw.median),
          ratio(row.speedToRoute.median),
          ratio(row.speedToPlugin.median),
          whole(row.proxyMicrosPerCall.median),
          ratio(row.speedToRawByCpu.median),
          oneDigit(row.p50Millis.median),
          oneDigit(row.p99Millis.median),
          ratio(row.p99ToRoute.median),
          percent(row.proxyBusy.median),
          percent(row.upstreamBusy.median),
          percent(row.loadBusy.median)
        ])
      )
    ),
    titled(
      `${whole(batchRecords)} records, upstream answers at once`,
      machine,
      `${inFlight} in flight; medians of ${rounds} interleaved rounds`,
      table(
        ["sender", "records/s", "min–max", "÷ bulk", "CPU µs/record", "upstream busy"],
        batch.map((row) => [
          row.title,
          whole(row.recordsPerSecond.median),
          between(row.recordsPerSecond, whole),
          ratio(row.speedToBulk.median),
          whole(row.cpuMicrosPerRecord.median),
          percent(row.upstreamBusy.median)
        ])
      )
    ),
    titled(
      "milepost-proxy, uploads",
      machine,
      "memory is that of the proxy's process, the upstream is another; the last column is the first seconds of sending",
      table(
        ["rows", "seconds", "rows/s stored", "CPU µs/row", "idle MB", "peak MB, stored", "peak MB", "calls/s"],
        uploads.map((row) => [
          whole(row.rows),
          row.seconds.toFixed(1),
          whole(row.rowsPerSecond),
          row.cpuMicrosPerRow.toFixed(1),
          whole(row.idleMegabytes),
          whole(row.storedMegabytes),
          whole(row.peakMegabytes),
          whole(row.sentPerSecond)
        ])
      )
    ),
    titled(
      `milepost-proxy, ${whole(overload.callsPerSecond)} calls/s where the upstream bears ${whole(overload.capacityPerSecond)}`,
      machine,
      `${Math.round(overload.seconds)} s, ${whole(overload.calls)} calls, whoever has been answered`,
      table(
        ["load", "accepted/s", "refused/s", "other", "accepted p50 ms", "p99", "refused p50 ms", "p99"],
        [
          ["half, before", "", whole(overload.calmRefused), "", oneDigit(overload.calmP50Millis), oneDigit(overload.calmP99Millis), "", ""],
          [
            "twice",
            whole(overload.acceptedPerSecond),
            whole(overload.refusedPerSecond),
            whole(overload.other),
            oneDigit(overload.acceptedP50Millis),
            oneDigit(overload.acceptedP99Millis),
            oneDigit(overload.refusedP50Millis),
            oneDigit(overload.refusedP99Millis)
          ],
          ["half, after", "", whole(overload.afterRefused), "", "", oneDigit(overload.afterP99Millis), "", ""]
        ]
      ) + `\n\nresident MB: ${whole(overload.beginMegabytes)} in the first quarter, ${whole(overload.endMegabytes)} in the last, peak ` +
        `${whole(overload.peakMegabytes)}; proxy busy ${percent(overload.proxyBusy)}`
    )
  ].join("\n\n")
}

/** The tables of the seventh benchmark, one for each part that was run. */
export const replicas = ({ limit, machine, owner, pair, size, statements }: ReplicasSection): string =>
  [
    pair === undefined ? null : titled(
      `${whole(pair.records)} records, two replicas beside two plain workers, from stored to the last outcome`,
      machine,
      `${pair.inFlightEach} in flight each; upstream answers at once; medians of ${pair.rounds} interleaved rounds`,
      table(
        ["pair", "records/s", "min–max", "÷ quickest plain", "CPU µs/record", "PostgreSQL", "one busy", "other", "PostgreSQL", "upstream"],
        pair.rows.map((row) => [
          row.title,
          whole(row.recordsPerSecond.median),
          between(row.recordsPerSecond, whole),
          ratio(row.speedToPlain.median),
          whole(row.pairMicrosPerRecord.median),
          whole(row.postgresMicrosPerRecord.median),
          percent(row.oneBusy.median),
          percent(row.otherBusy.median),
          percent(row.postgresBusy.median),
          percent(row.upstreamBusy.median)
        ])
      )
    ),
    statements === undefined ? null : titled(
      `Statements of ${statements.replicas} replicas, counted by PostgreSQL, BEGIN and COMMIT included`,
      machine,
      `${whole(statements.records)} records, sent in ${statements.seconds.toFixed(1)} s`,
      table(
        ["of", "statements", "ms of the server"],
        [
          ["upload, a record", statements.uploadPerRecord.toFixed(4), ""],
          ["sending, a record", statements.sendingPerRecord.toFixed(4), ""],
          ["an idle replica, a second", statements.idlePerReplicaSecond.toFixed(1), ""],
          ...statements.mostFrequent.map(({ calls, millis, statement }) => [statement, whole(calls), whole(millis)])
        ]
      )
    ),
    size === undefined ? null : titled(
      `${whole(size.records)} records in PostgreSQL, without its write-ahead log`,
      machine,
      `beside ${size.emptyMegabytes.toFixed(1)} MB of an empty database; autovacuum came to ${size.autovacuums} tables by the end`,
      table(
        ["stored/s", "sent/s", "MB stored", "MB sent", "MB after VACUUM", ...size.relations.map(({ name }) => name), "peak MB, stored", "sent", "other's peak"],
        [[
          whole(size.storedPerSecond),
          whole(size.sentPerSecond),
          oneDigit(size.storedMegabytes),
          oneDigit(size.finishedMegabytes),
          oneDigit(size.vacuumedMegabytes),
          ...size.relations.map(({ megabytes }) => oneDigit(megabytes)),
          whole(size.uploadPeakMegabytes),
          whole(size.firstPeakMegabytes),
          whole(size.otherPeakMegabytes)
        ]]
      )
    ),
    limit === undefined ? null : titled(
      `${whole(limit.perMinute)} calls a minute over ${limit.replicas} replicas, as the upstream saw them`,
      machine,
      `${limit.minutes} minutes of real time`,
      table(
        ["calls", "most in any minute", "fewest in a whole one", "mean", "statements/s", "calls of each"],
        [[
          whole(limit.calls),
          whole(limit.worstMinute),
          whole(limit.leastAMinute),
          limit.meanAMinute.toFixed(1),
          limit.statementsPerSecond.toFixed(1),
          limit.callsOfEach.map(whole).join(" + ")
        ]]
      )
    ),
    owner === undefined ? null : titled(
      "A person's call, whose customer's lane lives elsewhere",
      machine,
      `${owner.inFlight} in flight; medians of ${owner.rounds} × ${owner.turnsPerRound} interleaved turns of ${owner.millisPerTurn} ms; ` +
        "÷ is ours beside the owner asked, plain beside plain without order",
      table(
        ["way", "calls/s", "÷", "p50 ms", "÷", "p99 ms", "÷", "CPU µs/call, asked", "owner", "PostgreSQL", "statements/call", "upstream busy"],
        owner.rows.map((row) => [
          row.title,
          whole(row.callsPerSecond.median),
          ratio(row.speedToBeside.median),
          oneDigit(row.p50Millis.median),
          ratio(row.p50ToBeside.median),
          oneDigit(row.p99Millis.median),
          ratio(row.p99ToBeside.median),
          whole(row.askedMicrosPerCall.median),
          whole(row.ownerMicrosPerCall.median),
          whole(row.postgresMicrosPerCall.median),
          row.statementsPerCall.median.toFixed(2),
          percent(row.upstreamBusy.median)
        ])
      )
    )
  ].filter((drawn) => drawn !== null).join("\n\n")

const duration = (hours: number | null): string =>
  hours === null ? "not measured" : hours < 1 ? `${(hours * 60).toFixed(1)} min` : hours < 48 ? `${hours.toFixed(1)} h` : `${(hours / 24).toFixed(1)} days`

const unknown = (value: number | null, show: (value: number) => string): string => value === null ? "not measured" : show(value)

/** The tables of the eighth benchmark: what was simulated, and what that makes of large jobs. */
export const capacity = ({ from, limits, machine, rows }: CapacitySection): string => {
  const named = (perMinute: number | null): string => perMinute === null ? "none" : `${whole(perMinute)}/min`
  return [
    titled(
      "How much of an upstream's limit a run uses",
      machine,
      "the engine over the simulator in virtual time, one process; told the limit, nothing, or twice the limit",
      table(
        ["limit", "told", "records", "hours of its time", "refused", "longest pause s", "used", "without the first tenth", "statements/record"],
        limits.flatMap(({ perMinute, simulated }) =>
          simulated.map((one) => [
            named(perMinute),
            one.told,
            whole(one.records),
            (one.virtualSeconds / 3600).toFixed(2),
            whole(one.refused),
            one.longestPauseSeconds.toFixed(1),
            percent(one.share),
            percent(one.laterShare),
            one.statementsPerRecord.toFixed(2)
          ]))
      )
    ),
    titled(
      "How long large jobs take",
      machine,
      "the use of a limit is simulated, the rest is scaled",
      table(
        ["limit", "records", "told the limit", "told twice", "database GB", "statements/s", "replicas"],
        rows.map((row) => [
          named(row.perMinute),
          whole(row.records),
          duration(row.hours),
          row.perMinute === null ? "" : duration(row.hoursToldTwice),
          unknown(row.databaseGigabytes, (value) => value.toFixed(1)),
          unknown(row.statementsPerSecond, whole),
          unknown(row.replicas, whole)
        ])
      )
    ) + "\n\nSimulated: what is used of a limit, and the engine's statements under it; a block of turns takes two more. Scaled from it: the time.\n" +
    "Scaled from the section replicas, measured on this machine: " +
    `${unknown(from.recordsPerSecond, whole)} records/s of two replicas without a limit, ${unknown(from.bytesPerRecord, whole)} bytes of database a record, ` +
    `${unknown(from.idlePerReplicaSecond, oneDigit)} statements/s of an idle replica.`
  ].join("\n\n")
}

/** Three digits of it, and all of those before the point. */
const threeDigits = (value: number): string => value < 1000 ? value.toPrecision(3) : whole(value)

/** One line a promise. */
export const promises = (thresholds: ReadonlyArray<Threshold>): string =>
  thresholds
    .map(({ kept, kind, limit, measured, promise }) =>
      `${kept ? "PASS" : "MISS"}  ${promise}: ${threeDigits(measured)}, promised ${kind} ${limit.toLocaleString("en")}`)
    .join("\n")
