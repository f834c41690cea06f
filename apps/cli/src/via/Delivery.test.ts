import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { gzipSync } from "node:zlib"
import * as Delivery from "./Delivery.js"

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const uploaded = (bytes: Uint8Array, known: string = sha256(bytes)) =>
  Effect.scoped(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const source = yield* files.makeTempFileScoped()
    yield* files.writeFile(source, bytes)
    const upload = { source, name: "in.csv", format: "csv" as const, size: bytes.length, sha256: known, isGzipped: bytes[0] === 0x1f, isStdin: false, query: "", idempotencyKey: "k" }
    const sent: Array<Uint8Array> = []
    const { body, size } = yield* Delivery.uploadOf({ upload }, () => undefined, () => undefined)
    const exit = yield* Effect.exit(Stream.runForEach(body, (chunk) => Effect.sync(() => void sent.push(chunk))))
    return { isWhole: exit._tag === "Success", text: Buffer.concat(sent).toString(), size }
  })).pipe(Effect.provide(NodeFileSystem.layer))

describe("Delivery", () => {
  it.effect("unpacks a file on the way, and sends nothing that is not what it was", () =>
    Effect.gen(function*() {
      const text = `customerId\n${"564332013\n".repeat(30_000)}`
      const plain = Buffer.from(text)
      assert.deepStrictEqual(yield* uploaded(plain), { isWhole: true, text, size: plain.length })
      assert.deepStrictEqual(yield* uploaded(gzipSync(text)), { isWhole: true, text, size: null })
      const changed = yield* uploaded(plain, sha256(Buffer.from("another")))
      assert.isFalse(changed.isWhole)
      // A proxy that has not had all of it keeps nothing of it.
      assert.isBelow(changed.text.length, text.length)
    }))

  it("asks for what the flags say, under a key that is the same for the same wish", () => {
    const options = { operation: "enroll", name: "/data/spring & summer.csv", org: "brand-a", rate: "600/min" } as const
    const query = Delivery.queryOf({ group: "2154", target: "2309", period: ["A", "B"], initialBalance: "resume", resetStreak: true }, options)
    assert.strictEqual(
      query,
      "operation=enroll&name=spring+%26+summer.csv&org=brand-a&group=2154&target=2309&period=A&period=B&initialBalance=resume&resetStreak=true&rate=600%2Fmin"
    )
    const key = Delivery.keyOf({ sha256: "00", format: "csv", query })
    assert.strictEqual(Delivery.keyOf({ sha256: "00", format: "csv", query }), key)
    assert.match(key, /^milepost-[0-9a-f]{64}$/)
    for (const other of [{ sha256: "01", format: "csv", query }, { sha256: "00", format: "ndjson", query }, { sha256: "00", format: "csv", query: `${query}&period=C` }]) {
      assert.notStrictEqual(Delivery.keyOf(other), key)
    }
  })
})
