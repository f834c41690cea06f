import * as Lanes from "./Lanes.js"
import { EngineSuite } from "../test/EngineSuite.js"

EngineSuite("Lanes.layerInProcess", Lanes.layerInProcess)
