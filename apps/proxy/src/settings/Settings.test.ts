import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import type { Texts } from "./Secrets.js"
import * as Settings from "./Settings.js"
import * as SharedDatabase from "./SharedDatabase.js"

const one: Texts = {
  MILEPOST_PROXY_ORG: "brand",
  MILEPOST_HOST: "eu",
  MILEPOST_USERNAME: "store.server",
  MILEPOST_PASSWORD: "server123"
}

const read = (environment: Texts) => Effect.provide(Settings.read(environment), NodeFileSystem.layer)

/** Reads with a file of organisations. */
const withFile = <A, E>(text: string, use: (environment: Texts, folder: string) => Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.scoped(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    yield* files.writeFileString(`${folder}/upstreams.toml`, text.replaceAll("FOLDER", folder))
    return yield* use({ MILEPOST_PROXY_UPSTREAMS: `${folder}/upstreams.toml` }, folder)
  })).pipe(Effect.provide(NodeFileSystem.layer))

const databasePassword = "canary-of-the-database"
const url = `postgres://milepost:${databasePassword}@db.internal:5432/milepost`

const brand = `[[org]]\nid = "brand"\nhost = "eu"\nusername = "till"\n`

describe("Settings", () => {
  it.effect("one organisation is read from the environment, with defaults for everything else", () =>
    Effect.gen(function*() {
      const settings = yield* read(one)
      assert.deepInclude(settings, { host: "127.0.0.1", port: 8320, data: "milepost-proxy-data", queue: 1_000 })
      const [org] = settings.orgs
      assert.deepInclude(org, { id: "brand", limits: { callsPerSecond: null, concurrency: "auto" } })
      assert.isNull(settings.database)
      assert.notInclude(JSON.stringify(settings), "server123")
    }))

  it.effect("a database is named by either variable, ours first, and its password is not shown", () =>
    Effect.gen(function*() {
      const { database } = yield* read({ ...one, DATABASE_URL: url })
      assert.deepInclude(database, { named: "DATABASE_URL", connections: 10, cluster: "milepost", leaseMillis: 15_000, advertise: null })
      assert.strictEqual(Redacted.value(database?.url ?? Redacted.make("")), url)
      assert.notInclude(JSON.stringify(database) + inspect(database, { depth: 9 }), databasePassword)
      const ours = yield* read({
        ...one,
        DATABASE_URL: "mysql://elsewhere",
        MILEPOST_DATABASE_URL: url.replace("postgres:", "postgresql:"),
        MILEPOST_DATABASE_CONNECTIONS: "25",
        MILEPOST_PROXY_CLUSTER: "blue",
        MILEPOST_PROXY_LEASE: "3s",
        MILEPOST_PROXY_ADVERTISE: "https://proxy-1.internal:8443/below/"
      })
      assert.deepInclude(ours.database, {
        named: "MILEPOST_DATABASE_URL",
        connections: 25,
        cluster: "blue",
        leaseMillis: 3_000,
        advertise: "https://proxy-1.internal:8443/below"
      })
    }))

  it.effect("a database's address may lie in a file, which wins over the customary variable", () =>
    withFile(`${url}\n`, ({ MILEPOST_PROXY_UPSTREAMS: file }) =>
      Effect.gen(function*() {
        const { database } = yield* Settings.place({ MILEPOST_DATABASE_URL_FILE: file, DATABASE_URL: "postgres://elsewhere/x" })
        assert.strictEqual(Redacted.value(database?.url ?? Redacted.make("")), url)
        const both = yield* Effect.flip(Settings.place({ MILEPOST_DATABASE_URL_FILE: file, MILEPOST_DATABASE_URL: url }))
        assert.strictEqual(both.message, "MILEPOST_DATABASE_URL_FILE: MILEPOST_DATABASE_URL is set as well; keep one of them")
      })))

  it("a replica is reached where it listens, or at its machine's address where it listens everywhere", () => {
    const card = (address: string, internal: boolean, family: "IPv4" | "IPv6") =>
      family === "IPv4"
        ? { address, internal, family, netmask: "", mac: "", cidr: null }
        : { address, internal, family, netmask: "", mac: "", cidr: null, scopeid: 0 }
    const machine = {
      lo: [card("127.0.0.1", true, "IPv4")],
      eth0: [card("fe80::1", false, "IPv6"), card("2001:db8::7", false, "IPv6"), card("10.0.0.7", false, "IPv4")]
    }
    const at = (host: string, interfaces: Parameters<typeof SharedDatabase.advertised>[2] = machine) =>
      SharedDatabase.advertised(null, { host, port: 8320 }, interfaces)
    assert.strictEqual(at("10.1.1.1"), "http://10.1.1.1:8320")
    assert.strictEqual(at("::1"), "http://[::1]:8320")
    assert.strictEqual(at("0.0.0.0"), "http://10.0.0.7:8320")
    assert.strictEqual(at("::", { eth0: machine.eth0.slice(0, 2) }), "http://[2001:db8::7]:8320")
    assert.strictEqual(at("0.0.0.0", {}), "http://127.0.0.1:8320")
    assert.strictEqual(SharedDatabase.advertised("https://a", { host: "0.0.0.0", port: 1 }), "https://a")
  })

  it.each<readonly [string, Texts, string]>([
    ["no organisation", {}, "MILEPOST_PROXY_ORG: is not set"],
    ["no host", { ...one, MILEPOST_HOST: undefined }, "MILEPOST_HOST: is not set"],
    ["clear text", { ...one, MILEPOST_HOST: "http://example.com" }, "MILEPOST_HOST: "],
    ["no password", { ...one, MILEPOST_PASSWORD: undefined }, "MILEPOST_PASSWORD: is not set"],
    ["both kinds", { ...one, MILEPOST_OAUTH_KEY: "k" }, "MILEPOST_OAUTH_KEY: both kinds"],
    ["a strange id", { ...one, MILEPOST_PROXY_ORG: "a/b" }, "MILEPOST_PROXY_ORG: "],
    ["no port", { ...one, MILEPOST_PROXY_PORT: "70000" }, "MILEPOST_PROXY_PORT: \"70000\" is not"],
    ["no upload rate", { ...one, MILEPOST_PROXY_UPLOAD_RATE: "slow" }, "MILEPOST_PROXY_UPLOAD_RATE: \"slow\" is not"],
    ["no collector", { ...one, OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" }, "OTEL_EXPORTER_OTLP_ENDPOINT: is no URL"],
    ["no headers of one", { ...one, OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", OTEL_EXPORTER_OTLP_HEADERS: "server123" }, "OTEL_EXPORTER_OTLP_HEADERS: must be"],
    ["a sampler that is none", { ...one, OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", OTEL_TRACES_SAMPLER: "traceidratio" }, "OTEL_TRACES_SAMPLER: \"traceidratio\" is none of"],
    ["a share that is none", { ...one, OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "1.5" }, "OTEL_TRACES_SAMPLER_ARG: \"1.5\" is not a share"],
    ["headers that are no URL's", { ...one, OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", OTEL_EXPORTER_OTLP_HEADERS: "a=%zz" }, "OTEL_EXPORTER_OTLP_HEADERS: must be"],
    ["no address", { ...one, MILEPOST_PROXY_HOST: "a b" }, "MILEPOST_PROXY_HOST: "],
    ["no rate", { ...one, MILEPOST_RATE: "fast" }, "MILEPOST_RATE: \"fast\" is not a rate"],
    ["all scopes", { ...one, MILEPOST_DATA_SCOPE: "ALL" }, "MILEPOST_DATA_SCOPE: the data scope ALL is not supported"],
    ["no path", { ...one, MILEPOST_BASE_PATH: "/" }, "MILEPOST_BASE_PATH: "],
    ["two sources", { ...one, MILEPOST_PROXY_UPSTREAMS: "x.toml" }, "MILEPOST_PROXY_ORG: MILEPOST_PROXY_UPSTREAMS is set as well"],
    ["another database", { ...one, DATABASE_URL: url.replace("postgres:", "mysql:") }, "DATABASE_URL: must begin with postgres:// or postgresql://"],
    ["no database's address", { ...one, MILEPOST_DATABASE_URL: `postgres://u:${databasePassword}/x@db/milepost` }, "MILEPOST_DATABASE_URL: is no URL"],
    ["a password cut off by #", { ...one, MILEPOST_DATABASE_URL: `postgres://u:7#${databasePassword}@db/milepost` }, "MILEPOST_DATABASE_URL: is no URL"],
    ["a password cut off by /", { ...one, MILEPOST_DATABASE_URL: `postgres://u:7/${databasePassword}@db/milepost` }, "MILEPOST_DATABASE_URL: is no URL"],
    ["a password cut off by ?", { ...one, MILEPOST_DATABASE_URL: `postgres://u:7?${databasePassword}@db/milepost` }, "MILEPOST_DATABASE_URL: is no URL"],
    ["a password with a bare %", { ...one, MILEPOST_DATABASE_URL: `postgres://u:%zz${databasePassword}@db/milepost` }, "MILEPOST_DATABASE_URL: is no URL"],
    ["no host of a database", { ...one, MILEPOST_DATABASE_URL: "postgres:///milepost" }, "MILEPOST_DATABASE_URL: is no URL"],
    ["no file of an address", { ...one, MILEPOST_DATABASE_URL_FILE: "/nowhere" }, "MILEPOST_DATABASE_URL_FILE: /nowhere cannot be read"],
    ["one connection", { ...one, DATABASE_URL: url, MILEPOST_DATABASE_CONNECTIONS: "1" }, "MILEPOST_DATABASE_CONNECTIONS: \"1\" is not"],
    ["a strange cluster", { ...one, DATABASE_URL: url, MILEPOST_PROXY_CLUSTER: "a b" }, "MILEPOST_PROXY_CLUSTER: \"a b\" is not"],
    ["a short lease", { ...one, DATABASE_URL: url, MILEPOST_PROXY_LEASE: "2s" }, "MILEPOST_PROXY_LEASE: \"2s\" is not a duration from 3s"],
    ["a long lease", { ...one, DATABASE_URL: url, MILEPOST_PROXY_LEASE: "2m" }, "MILEPOST_PROXY_LEASE: \"2m\" is not"],
    ["no lease", { ...one, DATABASE_URL: url, MILEPOST_PROXY_LEASE: "soon" }, "MILEPOST_PROXY_LEASE: \"soon\" is not"],
    ["no way to a replica", { ...one, DATABASE_URL: url, MILEPOST_PROXY_ADVERTISE: "10.0.0.7:8320" }, "MILEPOST_PROXY_ADVERTISE: is no URL"],
    ["a replica with a password", { ...one, DATABASE_URL: url, MILEPOST_PROXY_ADVERTISE: `http://a:${databasePassword}@b` }, "MILEPOST_PROXY_ADVERTISE: is no URL"],
    ["no file", { MILEPOST_PROXY_UPSTREAMS: "/nowhere.toml" }, "MILEPOST_PROXY_UPSTREAMS: /nowhere.toml cannot be read"]
  ])("%s is one line that names the setting", (_, environment, start) =>
    Effect.runPromise(Effect.gen(function*() {
      const { message } = yield* Effect.flip(read(environment))
      assert.isTrue(message.startsWith(start), message)
      assert.notInclude(message, "\n")
      for (const canary of ["server123", databasePassword]) assert.notInclude(message, canary)
    })))

  it.effect("several are read from a file, with secrets in it, in files or in variables", () =>
    withFile(
      `${brand}password = "in place"\nrate = "600/min"\nconcurrency = 8\n[[org]]\nid = "child"\nhost = "us"\nusername = "till"\npassword_file = "FOLDER/secret"\ndataScope = "OTHER"\ndataScopeOrg = 101\n[[org]]\nid = "third"\nhost = "apac"\noauthKey_env = "KEY"\noauthSecret_env = "SECRET"\n`,
      (environment, folder) =>
        Effect.gen(function*() {
          const files = yield* FileSystem.FileSystem
          yield* files.writeFileString(`${folder}/secret`, "from a file\n")
          const { orgs } = yield* Settings.read({ ...environment, KEY: "k", SECRET: "s" })
          assert.deepStrictEqual(orgs.map(({ id }) => id), ["brand", "child", "third"])
          assert.deepStrictEqual(orgs[0]?.limits, { callsPerSecond: 10, concurrency: 8 })
          const credentials = orgs[1]?.connection.credentials
          assert.strictEqual(credentials?._tag === "Basic" ? Redacted.value(credentials.password.value) : "", "from a file")
          assert.strictEqual(orgs[2]?.connection.credentials._tag, "OAuth")
        })
    ))

  it.each([
    ["[[org]", "this is not valid TOML"],
    ["", "holds no organisation"],
    ["other = 1\n", "there is no key \"other\""],
    [`${brand}password = "x"\ncolour = "red"\n`, "org[0].colour: there is no such key"],
    [`${brand}password = "x"\npassword_env = "Y"\n`, "org[0].password_env: password is set as well"],
    [`${brand}password_env = "UNSET"\n`, "org[0].password_env: the variable UNSET is not set"],
    [`${brand}password_file = "/nowhere"\n`, "org[0].password_file: /nowhere cannot be read"],
    [`${brand}password = "x"\n${brand}password = "x"\n`, "two organisations with the id brand"]
  ])("the file %j is told what is wrong with it", (text, part) =>
    Effect.runPromise(withFile(text, (environment) =>
      Effect.map(Effect.flip(Settings.read(environment)), ({ message }) => assert.include(message, part)))))
})
