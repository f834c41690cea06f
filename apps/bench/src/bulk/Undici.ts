/** A plain script over a pool of undici. */
import * as UndiciPool from "../contenders/UndiciPool.js"
import type { Script } from "./Job.js"
import * as Plain from "./Plain.js"

/** Does a job. */
export const run: Script = async (job) => {
  const pool = UndiciPool.pool(job.origin)
  try {
    return await Plain.run(job, UndiciPool.enroll(pool))
  } finally {
    await pool.close()
  }
}
