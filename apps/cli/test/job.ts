/** A job as a proxy tells it. */
import type { Job } from "../src/via/Job.js"

/** One of ten records that has been sent, but for what is said. */
export const job = (more: Partial<Job> = {}): Job => ({
  id: "job_1",
  org: "brand",
  operation: "enroll",
  state: "finished",
  rows: 10,
  badRows: 0,
  duplicates: 0,
  records: 10,
  counts: { enrolled: 7, unenrolled: 0, already_enrolled: 0, rejected: 0, unknown: 0, skipped: 0 },
  open: 0,
  calls: 10,
  warnings: 0,
  callsPerSecond: null,
  limitPerSecond: null,
  etaSeconds: null,
  waiting: null,
  refusals: [],
  stop: null,
  created: "2025-01-01T00:00:00.000Z",
  started: null,
  ended: null,
  ...more
})
