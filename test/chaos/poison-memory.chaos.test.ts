import { memoryPlace } from "./places.ts";
import { poisonCases } from "./poison-cases.ts";

poisonCases(memoryPlace);
