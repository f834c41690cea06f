import { assert, describe, it } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import * as Document from "./Document.js"

describe("Document", () => {
  it("is valid OpenAPI 3.1", async () => {
    const { errors, valid } = await new Validator().validate(JSON.parse(JSON.stringify(Document.openApi())) as Record<string, unknown>)
    assert.deepStrictEqual([valid, errors], [true, undefined])
    assert.strictEqual(Document.openApi()["openapi"], "3.1.0")
  })

  it("tells every error as a problem, and nothing of how it is made", () => {
    const text = JSON.stringify(Document.openApi())
    assert.notInclude(text, "HttpApiDecodeError")
    assert.include(text, `"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}`)
    assert.include(text, `"application/x-ndjson"`)
  })

  it("names what generators make names of, and every error of every operation", () => {
    const { components, paths } = Document.openApi() as {
      readonly components: { readonly schemas: object }
      readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string; readonly responses: object }>>>>
    }
    const operations = Object.values(paths).flatMap((item) => Object.values(item))
    for (const { operationId, responses } of operations) {
      assert.match(operationId, /^[a-z][A-Za-z]+$/)
      assert.property(responses, "default")
    }
    assert.strictEqual(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
    assert.includeMembers(Object.keys(components.schemas), ["Job", "JobState", "Outcome", "OutcomeCounts", "Problem", "Result", "TargetGroup"])
  })

  it("is a page that loads nothing from elsewhere", () => {
    const page = Document.page()
    assert.include(page, "POST /v1/enrollments/batch")
    assert.notMatch(page, /<script|<img|<link|https?:\/\//)
    assert.include(Document.policy, "default-src 'none'")
  })
})
