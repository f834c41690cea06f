import * as Engine from "./Engine.js"
import { EngineSuite } from "../test/EngineSuite.js"

EngineSuite("Engine.layerSingle", Engine.layerSingle)
