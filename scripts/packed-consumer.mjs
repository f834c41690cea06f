/**
 * Uses the packages as their users get them: packs each, installs the tarballs into a project outside the workspace,
 * compiles examples/consumer there under both module resolutions, runs it, and expects a case that does not exist to be
 * refused by the compiler. A second project, examples/without-effect, uses the simulator from plain vitest tests. Also lets
 * publint and attw judge the tarballs.
 */
import { spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { binary, catalog, filesBelow, isSource, packages, root } from "./workspace.mjs"

/** @typedef {{ readonly status: number | null, readonly stdout: string, readonly output: string }} Ended */

/**
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {string} cwd
 * @returns {Promise<Ended>}
 */
const run = (command, args, cwd) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] })
    let stdout = ""
    let output = ""
    child.stdout.on("data", (chunk) => {
      stdout += chunk
      output += chunk
    })
    child.stderr.on("data", (chunk) => {
      output += chunk
    })
    child.on("error", reject)
    child.on("close", (status) => resolve({ status, stdout, output }))
  })

/** @type {Array<string>} */
const failures = []

/**
 * One thing that must hold: prints it with its time, keeps what was wrong, returns whether it held.
 *
 * @param {string} what
 * @param {() => Promise<string | null>} wrong what is wrong, `null` where nothing is
 */
const expect = async (what, wrong) => {
  const started = performance.now()
  const found = await wrong()
  console.log(`${found === null ? "ok  " : "FAIL"} ${what} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  if (found !== null) failures.push(`${what}:\n${found.trimEnd()}`)
  return found === null
}

/** @param {string} what @param {string} command @param {ReadonlyArray<string>} args @param {string} cwd */
const succeeds = (what, command, args, cwd) =>
  expect(what, async () => {
    const { output, status } = await run(command, args, cwd)
    return status === 0 ? null : `${output}\n(exit ${status})`
  })

/** Most users' compiler is not ours: the last one of the 5 line reads our declarations as well. */
const olderTypeScript = "5.9.3"

/** The tarballs by package, as npm takes them. @param {string} tarballs */
const packedFiles = (tarballs) => {
  const files = readdirSync(tarballs)
  return Object.fromEntries(packages().map(({ name }) => {
    const start = name.replace("@", "").replace("/", "-")
    return [name, `file:${join(tarballs, files.find((file) => file.startsWith(`${start}-`)) ?? "missing")}`]
  }))
}

/**
 * @param {string} what
 * @param {string} folder
 * @param {Readonly<Record<string, unknown>>} manifest
 */
const npmInstall = (what, folder, manifest) => {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ private: true, type: "module", ...manifest }, null, 2)}\n`)
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
  return succeeds(what, "npm", ["install", ...flags], folder)
}

/** @param {string} tarballs @param {string} consumer */
const install = (tarballs, consumer) => {
  const versions = catalog()
  const dependencies = packedFiles(tarballs)
  // The client of PostgreSQL is an optional peer, for whoever imports that module.
  for (const name of ["effect", "@effect/platform", "@effect/sql-pg", "pg", "typescript", "@types/node"]) dependencies[name] = versions[name]
  dependencies["typescript-5"] = `npm:typescript@${olderTypeScript}`
  return npmInstall("npm installs the tarballs", consumer, { name: "consumer", dependencies })
}

/**
 * A project that tests a client of its own with the simulator and has never heard of Effect: npm brings that along.
 *
 * @param {string} tarballs
 * @param {string} folder
 */
const withoutEffect = async (tarballs, folder) => {
  const { "@milepost/core": core, "@milepost/simulator": simulator } = packedFiles(tarballs)
  const versions = catalog()
  const devDependencies = {
    "@milepost/simulator": simulator,
    "@types/node": versions["@types/node"],
    typescript: versions.typescript,
    vitest: versions.vitest
  }
  // The packages ask for each other by version, and that version is not published yet.
  const manifest = { name: "without-effect", devDependencies, overrides: { "@milepost/core": core } }
  if (!await npmInstall("npm installs the simulator where nothing of Effect is asked for", folder, manifest)) return
  const tool = (/** @type {string} */ name) => join(folder, "node_modules/.bin", name)
  await succeeds("a project without Effect compiles", tool("tsc"), ["-p", "tsconfig.json", "--pretty", "false"], folder)
  await succeeds("its tests pass with the simulator", tool("vitest"), ["run", "--reporter=dot"], folder)
  await expect("the types of the promise interface name nothing of Effect", async () => {
    const types = readFileSync(join(folder, "node_modules/@milepost/simulator/dist/promise.d.ts"), "utf8")
    return /effect/i.test(types.replace(/\/\*[^]*?\*\//g, "")) ? types : null
  })
}

/**
 * Makes each line of errors.ts that is marked `// wrong: ` real, in a file of its own, and leaves one case of the exhaustive
 * match out in another: the compiler must refuse each, and the first kind on just that line.
 *
 * @param {string} consumer
 * @param {string} tsc
 */
const refusals = async (consumer, tsc) => {
  const source = readFileSync(join(consumer, "errors.ts"), "utf8").split("\n")
  const marked = source.flatMap((line, index) => (line.includes("// wrong: ") ? [index] : []))
  const omitted = source.findIndex((line) => line.includes("PeriodNotFound: ()"))
  if (marked.length === 0 || omitted < 0) throw new Error("errors.ts has lost its marked lines")
  mkdirSync(join(consumer, "wrong"))
  for (const index of marked) {
    const code = source.map((line, at) => (at === index ? line.replace("// wrong: ", "") : line)).join("\n")
    writeFileSync(join(consumer, "wrong", `line-${index + 1}.ts`), code)
  }
  writeFileSync(join(consumer, "wrong", "omitted.ts"), source.filter((_, index) => index !== omitted).join("\n"))
  writeFileSync(
    join(consumer, "wrong", "tsconfig.json"),
    JSON.stringify({ extends: "../tsconfig.json", compilerOptions: { noEmit: true, skipLibCheck: true }, include: ["*.ts"] })
  )
  await expect("the compiler refuses cases that do not exist, and an exhaustive match without one that does", async () => {
    const { stdout } = await run(tsc, ["-p", "wrong", "--pretty", "false"], consumer)
    const refused = [...stdout.matchAll(/^(?:wrong\/)?(\S+\.ts)\((\d+),\d+\): error/gm)]
      .map(([, file, line]) => (file === "omitted.ts" ? file : `${file}:${line}`))
    const expected = [...marked.map((index) => `line-${index + 1}.ts:${index + 1}`), "omitted.ts"]
    return [...new Set(refused)].sort().join() === expected.sort().join()
      ? null
      : `expected to be refused: ${expected.join(", ")}\nrefused: ${refused.join(", ") || "nothing"}\n${stdout}`
  })
}

/** What a build of long ago left behind, or what nobody needs. @param {string} tarballs */
const contents = (tarballs) =>
  expect("the tarballs hold what the sources make, a licence and a readme, and nothing else", async () => {
    const wrong = await Promise.all(packages().map(async ({ name, path }) => {
      const tarball = readdirSync(tarballs).find((file) => file.startsWith(`${name.replace("@", "").replace("/", "-")}-`))
      const { stdout } = await run("tar", ["-tzf", join(tarballs, tarball ?? "missing")], root)
      const files = stdout.trimEnd().split("\n").map((file) => file.replace("package/", ""))
      const modules = new Set(filesBelow(join(path, "src"), isSource).map((file) => file.slice(path.length + 1)))
      const unexpected = files.filter((file) => {
        if (/^(package\.json|LICENSE|README\.md|CHANGELOG\.md|\w+\.schema\.json)$/.test(file)) return false
        return !modules.has(file.replace(/^dist\//, "src/").replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts"))
      })
      const missing = ["LICENSE", "README.md"].filter((file) => !files.includes(file))
      return [...unexpected.map((file) => `${name}: ${file} should not be there`), ...missing.map((file) => `${name}: no ${file}`)]
    }))
    return wrong.flat().length === 0 ? null : `${wrong.flat().join("\n")}\n\`pnpm run clean\` removes what old builds left.`
  })

const work = mkdtempSync(join(tmpdir(), "milepost-consumer-"))
const tarballs = join(work, "tarballs")
const consumer = join(work, "consumer")
mkdirSync(tarballs)
try {
  cpSync(join(root, "examples/consumer"), consumer, { recursive: true })
  const packed = await Promise.all(packages().map(({ name, path }) =>
    succeeds(`${name} packs`, "pnpm", ["pack", "--pack-destination", tarballs], path)
  ))
  const judged = packed.includes(false) ? [] : readdirSync(tarballs).map(async (tarball) => {
    const path = join(tarballs, tarball)
    await succeeds(`publint accepts ${tarball}`, binary("publint"), ["run", path, "--strict"], work)
    await succeeds(`attw accepts ${tarball}`, binary("attw"), [path, "--profile", "esm-only", "--no-emoji", "--no-color"], work)
  })
  if (!packed.includes(false)) judged.push(contents(tarballs).then(() => undefined))
  if (!packed.includes(false)) {
    const project = join(work, "without-effect")
    cpSync(join(root, "examples/without-effect"), project, { recursive: true })
    judged.push(withoutEffect(tarballs, project))
  }
  if (!packed.includes(false) && await install(tarballs, consumer)) {
    const tsc = join(consumer, "node_modules/.bin/tsc")
    if (await succeeds("a consumer compiles under nodenext", tsc, ["-p", "tsconfig.json", "--pretty", "false"], consumer)) {
      await expect("a consumer enrols a customer with the simulator", async () => {
        const { output, status, stdout } = await run("node", ["out/enroll.js"], consumer)
        return status === 0 && JSON.parse(stdout).outcome === "enrolled" ? null : output
      })
    }
    await succeeds("a consumer compiles under bundler", tsc, ["-p", "tsconfig.bundler.json", "--pretty", "false"], consumer)
    const tsc5 = join(consumer, "node_modules/typescript-5/bin/tsc")
    await succeeds(`a consumer compiles with TypeScript ${olderTypeScript}`, "node", [tsc5, "-p", "tsconfig.bundler.json", "--pretty", "false"], consumer)
    await refusals(consumer, tsc)
    await expect("every public module loads by its subpath, and no internal one does", async () => {
      const open = packages().flatMap(({ name, path }) =>
        filesBelow(join(path, "src"), (file) => isSource(file) && !file.includes("/internal/"))
          .map((file) => `${name}/${file.slice(join(path, "src").length + 1, -".ts".length)}`)
      )
      writeFileSync(
        join(consumer, "modules.js"),
        `for (const module of ${JSON.stringify([...open, ...packages().map(({ name }) => name)])}) await import(module)
const closed = await import("@milepost/core/internal/clean").then(() => "it opens", (error) => error.code)
if (closed !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw new Error("@milepost/core/internal/clean: " + closed)\n`
      )
      const { output, status } = await run("node", ["modules.js"], consumer)
      return status === 0 ? null : output
    })
  }
  await Promise.all(judged)
} finally {
  rmSync(work, { recursive: true, force: true })
}
if (failures.length > 0) {
  console.error(`\n${failures.join("\n\n")}\n\nThe packed packages are not as their users need them.`)
  process.exit(1)
}
