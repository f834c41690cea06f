/**
 * The page for operators at `/`: its few files, read once and served as they are.
 *
 * It is a client of the native routes like any other, with a key that is typed in. It may load from here and nowhere else,
 * and nobody may frame it.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Exchange from "../server/Exchange.js"

/** The page's files are not where they belong. */
export class PageMissing extends Data.TaggedError("PageMissing")<{ readonly message: string }> {}

/** Answers what is asked of the page. */
export interface Page {
  /** Whether the request was for the page, and is answered. */
  readonly handle: (req: IncomingMessage, res: ServerResponse) => boolean
}

/** What the page may do. Styles and scripts come from its own files, and markup is never made from text. */
export const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

const headers: Readonly<Record<string, string>> = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  // Asked for again each time, and sent only where it has changed.
  "cache-control": "no-cache"
}

const files: ReadonlyArray<readonly [path: string, file: string, type: string]> = [
  ["/", "index.html", "text/html; charset=utf-8"],
  ["/page/main.js", "main.js", "text/javascript; charset=utf-8"],
  ["/page/page.css", "page.css", "text/css; charset=utf-8"],
  ["/page/icon.svg", "icon.svg", "image/svg+xml"]
]

interface Served {
  readonly body: Uint8Array
  readonly type: string
  readonly etag: string
}

/** Reads the page's files from their folder. */
export const load = (folder: string): Effect.Effect<Page, PageMissing, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const system = yield* FileSystem.FileSystem
    const served = new Map<string, Served>()
    for (const [path, file, type] of files) {
      const body = yield* Effect.mapError(
        system.readFile(`${folder}/${file}`),
        () => new PageMissing({ message: `${folder}/${file} cannot be read: install milepost-proxy again.` })
      )
      served.set(path, { body, type, etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"` })
    }
    return {
      handle: (req, res) => {
        const target = req.url ?? ""
        const mark = target.indexOf("?")
        const path = mark === -1 ? target : target.slice(0, mark)
        const found = served.get(path)
        if (found === undefined || (req.method !== "GET" && req.method !== "HEAD")) return false
        Exchange.of(req).route = path
        const isKnown = req.headers["if-none-match"] === found.etag
        res.writeHead(isKnown ? 304 : 200, {
          ...headers,
          etag: found.etag,
          ...(isKnown ? {} : { "content-type": found.type, "content-length": found.body.length })
        })
        res.end(isKnown || req.method === "HEAD" ? undefined : found.body)
        return true
      }
    }
  })

/** No page: for a service that only programs use. */
export const none: Page = { handle: () => false }
