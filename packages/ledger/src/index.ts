/** The durable record of Milepost's bulk runs: what was asked for, what was claimed, how it ended. */
export * as Derive from "./Derive.js"
export * as Entry from "./Entry.js"
export * as Lane from "./Lane.js"
export * as Ledger from "./Ledger.js"
export * as LedgerError from "./LedgerError.js"
export * as LibsqlLedger from "./LibsqlLedger.js"
export * as MemoryLedger from "./MemoryLedger.js"
export * as Run from "./Run.js"
