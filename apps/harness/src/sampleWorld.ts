/** What `milepost-harness world init` writes: every key of a world with what it means. */

/** A world as JSON with comments. */
export const sampleWorld = `{
  // A world of the Milepost simulator: everything that the simulated upstream knows at the start.
  // Comments and trailing commas are fine here; \`milepost-harness world validate\` checks the file,
  // \`milepost-harness serve --world\` serves it, \`milepost-harness world schema\` prints its JSON Schema.
  "$schema": "./node_modules/@milepost/simulator/world.schema.json",
  "description": "A parent with one child, a milestone with three cycles, and a streak.",

  // When virtual time starts. Which cycle is current and when a token expires follow it; it stands still until it is moved.
  "clock": "2026-01-15T09:00:00Z",
  // What a call for one cycle enrols into: "onwards" that cycle and all later ones, "perPeriod" that one alone.
  "cycles": "onwards",
  // The HTTP status that application errors come with. The upstream does not document it: try 400 as well.
  "errorStatus": 200,

  // Whether virtual time moves on as real time does, as load tests want it.
  "clockRuns": false,

  // Business units. One with a parentId is a child of that one, and the two are connected.
  // A rate limit counts the calls of a minute of virtual time. Retry-After says the rest of the "window", "none", or so many seconds.
  "orgs": [
    { "id": 100, "rateLimit": { "perMinute": 60000, "retryAfter": "window" } },
    { "id": 101, "parentId": 100 },
  ],

  // Who may call. "access": "none" is answered 403. Invented for this world: never put real ones here.
  "credentials": [
    { "type": "basic", "username": "store.server", "password": "server123", "orgId": 100 },
    { "type": "basic", "username": "no.access", "password": "noaccess123", "orgId": 100, "access": "none" },
    { "type": "oauth", "key": "sandbox-key", "secret": "sandbox-secret", "orgId": 100, "ttlSeconds": 3600 },
  ],

  "targetGroups": [
    {
      "id": 2154,
      "orgId": 100,
      "name": "Monthly spend",
      // DEFAULT and STREAKS have one target, UNIFIED has several; CAPPING limits.
      "trackingType": "DEFAULT",
      // FIXED_CALENDAR_WINDOW, CYCLIC_WINDOW or PERIOD_AGNOSTIC_WINDOW.
      "evaluationType": "CYCLIC_WINDOW",
      // A deactivated group is answered 310017.
      "active": true,
      "targets": [{ "id": 2309, "name": "Spend 1000 in a month", "targetValue": 1000 }],
      // The refCode is what a call sends as periodName. From start on and before end.
      "periods": [
        { "refCode": "Cycle_1", "start": "2026-01-01", "end": "2026-02-01" },
        { "refCode": "Cycle_2", "start": "2026-02-01", "end": "2026-03-01" },
        { "refCode": "Cycle_3", "start": "2026-03-01", "end": "2026-04-01" },
      ],
    },
    {
      "id": 40,
      "orgId": 100,
      "name": "Coffee streak",
      "trackingType": "STREAKS",
      "targets": [{ "id": 41, "name": "A coffee a day", "targetValue": 1 }],
      "periods": [{ "refCode": "Streak_1", "start": "2026-01-01", "end": "2026-07-01" }],
      // In the order in which they are achieved.
      "streakLevels": [{ "name": "Bronze", "count": 3 }, { "name": "Silver", "count": 6 }],
    },
  ],

  // One customer by id, or many by from, count and step. A million are one line.
  "customers": [
    { "orgId": 100, "from": 564332001, "count": 8000, "step": 1 },
    { "orgId": 101, "id": 700000001 },
  ],

  // What is so before the first call.
  "enrollments": [
    { "customerId": 564332001, "targetGroupId": 2154, "targetId": 2309, "periodName": "Cycle_1", "achieved": 400 },
    // Was in with 250 and has left: re-enrolling with a balance of null goes on from there.
    { "customerId": 564332002, "targetGroupId": 2154, "targetId": 2309, "periodName": "Cycle_1", "achieved": 250, "unenrolled": true },
    // A hundred customers in a streak, one level achieved.
    { "customers": { "from": 564332101, "count": 100 }, "targetGroupId": 40, "targetId": 41, "level": 1 },
  ],
}
`
