/**
 * The tables of the cluster's messages, made before the cluster makes them, with ids as text.
 *
 * Its ids take 58 bits. As text they are exact in every client, those included that do not obey `SafeIntegers`, and SQLite
 * compares a text column with a number in a statement as text. Names and columns are those of `SqlMessageStorage`.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"

const statements = [
  `CREATE TABLE IF NOT EXISTS cluster_messages (
    id TEXT PRIMARY KEY, message_id TEXT, shard_id TEXT NOT NULL, entity_type TEXT NOT NULL, entity_id TEXT NOT NULL,
    kind INTEGER NOT NULL, tag TEXT, payload TEXT, headers TEXT, trace_id TEXT, span_id TEXT, sampled BOOLEAN,
    processed BOOLEAN NOT NULL DEFAULT FALSE, request_id TEXT NOT NULL, reply_id TEXT, last_reply_id TEXT, last_read TEXT,
    deliver_at INTEGER, UNIQUE (message_id)
  )`,
  `CREATE TABLE IF NOT EXISTS cluster_replies (
    id TEXT PRIMARY KEY, kind INTEGER, request_id TEXT NOT NULL, payload TEXT NOT NULL, sequence INTEGER,
    acked BOOLEAN NOT NULL DEFAULT FALSE, UNIQUE (request_id, kind), UNIQUE (request_id, sequence)
  )`,
  // The reply to the last message of a lane is written after its messages were cleared.
  "DELETE FROM cluster_replies WHERE request_id NOT IN (SELECT id FROM cluster_messages)"
]

/** Makes them where they are not yet, and removes replies that belong to nothing; before a cluster is at work. */
export const create: Effect.Effect<void, SqlError, SqlClient> = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }))
