/**
 * The answers, as they stand on the wire (seed, *Response Parameters*; `docs/upstream.md`, *Answers*).
 */
import * as ApiError from "@milepost/core/ApiError"
import * as GatewayError from "@milepost/core/GatewayError"
import type { FaultEffect } from "../Faults.js"
import * as Rules from "../Rules.js"

/** A whole answer. */
export interface Answer {
  readonly status: number
  /** Lower-case names; the body's length is left to the transport. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The code of the application error in it. */
  readonly code: number | null
}

const json = { "content-type": "application/json" }

/** Success with some data. */
export const data = (value: unknown): Answer => ({
  status: 200,
  headers: json,
  body: JSON.stringify({ data: value, errors: null, warnings: null }),
  code: null
})

/** An enrol or un-enrol call was accepted: its customer is the data. */
export const accepted = (customerId: number): Answer => ({
  status: 200,
  headers: json,
  body: `{"data":${customerId},"errors":null,"warnings":null}`,
  code: null
})

const words: ReadonlyMap<number, string> = new Map([
  ...ApiError.table.map((error) => [error.row.code, error.row.meaning] as const),
  [Rules.notEnrolledCode, "The customer is not enrolled for the target."]
])

/** An application error. */
export const apiError = (code: number, status: number, message: string | undefined): Answer => ({
  status,
  headers: json,
  body: JSON.stringify({
    data: null,
    errors: [{ code, message: message ?? words.get(code) ?? `Error ${code}.` }],
    warnings: null
  }),
  code
})

/** An answer of the gateway: a status, and a body that is no envelope. */
export const gateway = (status: number, retryAfterSeconds?: number | undefined): Answer => ({
  status,
  headers: retryAfterSeconds === undefined ? json : { ...json, "retry-after": String(retryAfterSeconds) },
  body: JSON.stringify({ status, message: GatewayError.rowOf(status)?.meaning ?? "The gateway answers." }),
  code: null
})

/** How long the body of the `huge` fault is, in characters: beyond what any client should read. */
const hugeLength = 32 * 1024 * 1024

type Body = Extract<FaultEffect, { readonly kind: "body" }>["body"]

const bodies: Record<Body, (answer: Answer) => Answer> = {
  malformed: (answer) => ({ ...answer, body: `{"data":}${answer.body}` }),
  truncated: (answer) => ({ ...answer, body: answer.body.slice(0, Math.ceil(answer.body.length / 2)) }),
  html: (answer) => ({
    ...answer,
    headers: { "content-type": "text/html" },
    body: "<!DOCTYPE html><html><head><title>Just a moment</title></head><body>Please wait.</body></html>"
  }),
  empty: (answer) => ({ ...answer, body: "" }),
  huge: (answer) => ({ ...answer, body: answer.body.padEnd(hugeLength, " ") })
}

/** The same answer with a body that is wrong. */
export const spoilt = (answer: Answer, body: Body): Answer => bodies[body](answer)
