import { assert, describe, it } from "@effect/vitest"
import * as Route from "./Route.js"

describe("Route", () => {
  it.each<readonly [string, string, object]>([
    ["POST", "/targetGroups/2154/targets/2309/enroll", { _tag: "Record", operation: "enroll", targetGroupId: 2154, targetId: 2309 }],
    ["POST", "/targetGroups/2154/targets/2309/unEnroll", { _tag: "Record", operation: "unenroll" }],
    ["POST", "/targetGroups/..%2f/targets/1e3/enroll", { _tag: "Record", targetGroupId: null, targetId: null }],
    ["POST", "/targetGroups/9007199254740993/targets/0/enroll", { _tag: "Record", targetGroupId: null, targetId: null }],
    ["GET", "/users/17/targetGroups?includeInactive=true&targetRuleId=5", { _tag: "LookUp", customerId: 17, includeInactive: true, targetRuleId: 5 }],
    ["GET", "/users/x/targetGroups?targetRuleId=x", { _tag: "LookUp", customerId: null, targetRuleId: null }],
    ["GET", "/users/17/targetGroups?targetRuleId=", { _tag: "LookUp", targetRuleId: undefined }],
    ["POST", "/targetGroups/2154/targets/2309/unenroll", { _tag: "Refused", status: 404 }],
    ["POST", "/targetGroups/1/targets/2/enroll/", { _tag: "Refused", status: 404 }],
    ["GET", "/targetGroups/1/targets/2/enroll", { _tag: "Refused", status: 405, allow: "POST" }],
    ["DELETE", "/users/17/targetGroups", { _tag: "Refused", status: 405, allow: "GET" }]
  ])("%s %s", (method, target, route) => {
    assert.deepInclude(Route.of(method, target), route)
  })
})
