/**
 * From what a socket reports to what is known of a call's fate.
 *
 * Only the error's code is read, and only codes of a known form are repeated: an error's message, stack and properties
 * can hold headers. Whether a call was written is decided by the transport, not by the code.
 */
import * as TransportError from "@milepost/core/TransportError"

interface Coded {
  readonly code?: unknown
  readonly syscall?: unknown
  readonly cause?: unknown
  readonly errors?: unknown
}

const wellFormed = /^[A-Z][A-Z0-9_]{1,60}$/

/** The error itself, its causes and the parts of an AggregateError, four deep: further down nobody puts a code. */
const chain = (error: unknown, depth = 4): ReadonlyArray<Coded> => {
  if (typeof error !== "object" || error === null || depth === 0) return []
  const { cause, errors } = error as Coded
  const parts: ReadonlyArray<unknown> = Array.isArray(errors) ? errors : []
  return [error, ...[...parts, cause].flatMap((part) => chain(part, depth - 1))]
}

/** The first code of an error or of what caused it; `UNKNOWN` where there is none of a known form. */
export const codeOf = (error: unknown): string => {
  for (const { code } of chain(error)) {
    if (typeof code === "string" && wellFormed.test(code)) return code
  }
  return "UNKNOWN"
}

const reasons: Readonly<Record<string, TransportError.NotSentReason>> = {
  ENOTFOUND: "Dns",
  EAI_AGAIN: "Dns",
  UND_ERR_CONNECT_TIMEOUT: "ConnectTimeout",
  ETIMEDOUT: "ConnectTimeout",
  EHOSTUNREACH: "ConnectTimeout",
  ENETUNREACH: "ConnectTimeout",
  UND_ERR_DESTROYED: "Closed",
  UND_ERR_CLOSED: "Closed"
}

const certificate =
  /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERROR_IN_C|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|ERR_TLS_CERT_)/
const handshake = /^(?:ERR_TLS_|ERR_SSL_|EPROTO)/

/** Why a call that was certainly not written could not be. Whatever is not listed is a refusal: trying again may help. */
export const reasonOf = (code: string): TransportError.NotSentReason =>
  reasons[code] ?? (certificate.test(code) || handshake.test(code) ? "Tls" : "Refused")

const onlyWhileConnecting: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "UND_ERR_CONNECT_TIMEOUT"
])

/** Whether an error proves, without knowledge of the connection, that nothing was written. When in doubt it does not. */
export const provesNotSent = (error: unknown): boolean =>
  onlyWhileConnecting.has(codeOf(error)) || certificate.test(codeOf(error)) ||
  chain(error).some(({ syscall }) => syscall === "connect" || syscall === "getaddrinfo")

type SocketReason = Exclude<TransportError.NotSentReason, "CredentialsRefused" | "TokenUnavailable">

const advice: Record<SocketReason, (where: string) => string> = {
  Dns: (where) => `The name of ${where} does not resolve: check the host and this machine's name server`,
  Refused: (where) => `No connection to ${where}: check host and port, and that the service is up`,
  ConnectTimeout: (where) => `No connection to ${where} in time: check the network, a firewall or a proxy between`,
  Tls: (where) => `No trust in ${where}: check its certificate and this machine's clock and certificate authorities`,
  Closed: (where) => `The client for ${where} is closed: send before its scope ends`
}

/** A call that was never written, by the code of what went wrong. */
export const notSent = (where: string, code: string): TransportError.NotSent => {
  const reason = reasonOf(code) as SocketReason
  return new TransportError.NotSent({ reason, message: `${advice[reason](where)} (${code}). Nothing was sent.` })
}

/** A call whose time was up before a connection could be had. */
export const noFreeConnection = (where: string, millis: number): TransportError.NotSent =>
  new TransportError.NotSent({
    reason: "ConnectTimeout",
    message: `No connection to ${where} could be had within ${millis} ms: none opened in time, or all were busy; ` +
      "then have fewer calls in flight, or more connections. Nothing was sent."
  })

/** A call that was written, or may have been, and whose connection then failed. */
export const reset = (where: string, code: string, requestId: string): TransportError.NoAnswer =>
  new TransportError.NoAnswer({
    reason: "Reset",
    message: `The connection to ${where} ended before a whole answer came (${code}): the call may have been executed.`,
    requestId
  })

/** A call that was written, or may have been, and not answered in time. */
export const timedOut = (where: string, millis: number, requestId: string): TransportError.NoAnswer =>
  new TransportError.NoAnswer({
    reason: "Timeout",
    message: `No whole answer of ${where} within ${millis} ms: the call may have been executed.`,
    requestId
  })

/** An answer whose body goes beyond what we are willing to read. */
export const tooLarge = (status: number, maxBytes: number, requestId: string): TransportError.MalformedAnswer =>
  new TransportError.MalformedAnswer({
    reason: "TooLarge",
    message: `The upstream answered ${status}, but its body is larger than the ${maxBytes} bytes that are read.`,
    status,
    requestId
  })
