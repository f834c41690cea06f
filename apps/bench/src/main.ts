/**
 * `npm run bench -- [names] [options]`, and every other process of the benchmarks: the first word says which.
 *
 * Each role is loaded only by the process that has it, so that nobody's start pays for another's modules.
 */
const [role, ...rest] = process.argv.slice(2)
switch (role) {
  case "upstream":
    await (await import("./Upstream.js")).main(rest)
    break
  case "client":
    await (await import("./Client.js")).main(rest)
    break
  case "script":
    await (await import("./bulk/Scripts.js")).main(rest)
    break
  case "plain":
    await (await import("./simulator/Plain.js")).main()
    break
  case "load":
    await (await import("./simulator/Load.js")).main(rest)
    break
  case "in-memory":
    await (await import("./simulator/InMemory.js")).main(rest)
    break
  case "crowd":
    await (await import("./simulator/Crowd.js")).main(rest)
    break
  case "forwarding":
    await (await import("./proxy/Forwarding.js")).main(rest)
    break
  case "proxy-load":
    await (await import("./proxy/Load.js")).main(rest)
    break
  case "proxy-flood":
    await (await import("./proxy/Flood.js")).main(rest)
    break
  case "worker":
    await (await import("./replicas/Workers.js")).main(rest)
    break
  case "locking":
    await (await import("./replicas/Locking.js")).main(rest)
    break
  case "simulated":
    await (await import("./capacity/Simulated.js")).main(rest)
    break
  default:
    process.exitCode = await (await import("./Bench.js")).main(process.argv.slice(2))
}
