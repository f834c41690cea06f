import { emptied, server } from "../test/databases.js"
import { LedgerSuite } from "../test/LedgerSuite.js"

// What a crash of the server leaves is no question here, and each of these ledgers is made and emptied.
LedgerSuite("PostgresLedger", emptied(server({ fsync: "off", synchronous_commit: "off" })), 30)
