import { emptied, server } from "../test/databases.js"
import { LedgerSuite } from "../test/LedgerSuite.js"

LedgerSuite("PostgresLedger", emptied(server()))
