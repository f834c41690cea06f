/** `/openapi.json`, and the same for people at `/docs`: one page without anything from elsewhere. */
import * as OpenApi from "@effect/platform/OpenApi"
import { api } from "./Api.js"
import { lifetimeMillis } from "./Idempotency.js"
import * as Problem from "./Problem.js"

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const problem = {
  description: "A problem (RFC 9457); `type` says which: see docs/problems.md.",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } }
}

const statuses = [...new Set(Object.values(Problem.table).map(({ status }) => status))].map(String)

/** Every error is a problem, whatever its status: what the contract says of decoding is told in the same words. */
const operation = (value: unknown): unknown => {
  if (!isObject(value) || !isObject(value["responses"])) return value
  const good = Object.entries(value["responses"]).filter(([status]) => !statuses.includes(status))
  return { ...value, responses: { ...Object.fromEntries(good), default: problem } }
}

const text = { schema: { type: "string" } }

/** Two formats of the same rows. */
const rows = { "text/csv": text, "application/x-ndjson": text }

/** What the routes do that the contract has no words for. */
const more: Readonly<Record<string, Json>> = {
  createJob: {
    requestBody: { required: true, content: rows },
    responses: {
      "202": {
        description: "All of the body is stored.",
        headers: { Location: { description: "Where the job is.", schema: { type: "string" } } },
        content: { "application/json": { schema: { $ref: "#/components/schemas/Job" } } }
      }
    }
  },
  getJobResults: { responses: { "200": { description: "Rows with their outcomes, in the order of the input.", content: rows } } },
  getJobFailed: { responses: { "200": { description: "Rows as they were uploaded, in their order.", content: rows } } },
  getReadiness: {
    responses: {
      "200": { description: "It takes requests.", content: { "text/plain": text } },
      "503": { description: "It is stopping, or has no organisation.", content: { "text/plain": text } }
    }
  },
  getOpenApi: { responses: { "200": { description: "OpenAPI 3.1.", content: { "application/json": { schema: { type: "object", additionalProperties: true } } } } } }
}

const complete = (value: unknown): unknown => {
  if (!isObject(value) || !isObject(value["responses"])) return value
  const { responses, ...rest } = more[String(value["operationId"])] ?? {}
  return { ...value, ...rest, responses: { ...value["responses"], ...(isObject(responses) ? responses : {}) } }
}

/** What is answered may come to hold more; what is asked is refused with a key that nobody knows. */
const isAsked = (name: string): boolean => name.endsWith("Request") || name === "EnrollmentRecord"

const open = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(open)
  if (!isObject(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).filter(([key, value]) => key !== "additionalProperties" || value !== false).map(([key, value]) => [key, open(value)])
  )
}

const build = (): Json => {
  const spec = OpenApi.fromApi(api) as unknown as Json
  const paths = Object.fromEntries(Object.entries(spec["paths"] as Json).map(([path, item]) => [
    path,
    Object.fromEntries(Object.entries(item as Json).map(([method, value]) => [
      method,
      complete(operation(value))
    ]))
  ]))
  const components = spec["components"] as { readonly schemas: Json }
  const { HttpApiDecodeError: _decode, Issue: _issue, PropertyKey: _key, ...schemas } = components.schemas
  return {
    ...spec,
    paths,
    components: {
      ...components,
      schemas: Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, isAsked(name) ? schema : open(schema)]))
    }
  }
}

let made: Json | null = null

/** The contract as OpenAPI 3.1. */
export const openApi = (): Json => {
  made ??= build()
  return made
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", "&quot;")

const parameterRow = (parameter: Json): string => {
  const schema = isObject(parameter["schema"]) ? parameter["schema"] : {}
  const text = parameter["description"] ?? schema["description"] ?? ""
  return `<tr><td><code>${escaped(String(parameter["name"]))}</code></td><td>${escaped(String(parameter["in"]))}</td><td>${escaped(String(text))}</td></tr>`
}

const operationSection = (path: string, method: string, value: Json): string => {
  const parameters = (Array.isArray(value["parameters"]) ? value["parameters"] : []).filter(isObject)
  const body = isObject(value["requestBody"]) ? value["requestBody"]["content"] : undefined
  return [
    `<section><h3><code>${method.toUpperCase()} ${escaped(path)}</code></h3>`,
    `<p>${escaped(String(value["summary"] ?? ""))}. ${escaped(String(value["description"] ?? ""))}</p>`,
    parameters.length === 0 ? "" : `<table><tr><th>parameter</th><th>in</th><th></th></tr>${parameters.map(parameterRow).join("")}</table>`,
    isObject(body) ? `<details><summary>body: ${escaped(Object.keys(body).join(", "))}</summary><pre>${escaped(JSON.stringify(body, null, 2))}</pre></details>` : "",
    "</section>"
  ].join("")
}

const style = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}" +
  "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #8884;vertical-align:top}" +
  "code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.5rem;background:#8882}h3{margin-top:2rem}"

/** The contract as a page. */
export const page = (): string => {
  const { components, info, paths } = openApi() as { readonly components: Json; readonly info: Json; readonly paths: Readonly<Record<string, Json>> }
  const sections = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, value]) => operationSection(path, method, value as Json)))
  const problems = Object.entries(Problem.table).map(([name, { remedy, status, title }]) =>
    `<tr><td><code>${name}</code></td><td>${status}</td><td>${escaped(title)}. ${escaped(remedy)}</td></tr>`)
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(String(info["title"]))}</title><style>${style}</style></head><body>`,
    `<h1>${escaped(String(info["title"]))} ${escaped(String(info["version"]))}</h1><p>${escaped(String(info["description"]))}</p>`,
    `<p>Send <code>Authorization: Bearer &lt;key&gt;</code>. A POST with an <code>Idempotency-Key</code> is answered as the first time for ${lifetimeMillis / 3_600_000} hours. The contract for programs is <a href="/openapi.json">/openapi.json</a>.</p>`,
    ...sections,
    `<h2>Problems</h2><p><code>type</code> is <code>urn:milepost:problem:</code> and one of these names.</p><table>${problems.join("")}</table>`,
    `<h2>Schemas</h2><pre>${escaped(JSON.stringify(components["schemas"], null, 2))}</pre>`,
    "</body></html>"
  ].join("\n")
}

/** What `/docs` may load: nothing. */
export const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
