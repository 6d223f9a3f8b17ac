import { misbehavingCases } from "./misbehaving-cases.ts";
import { memoryPlace } from "./places.ts";

misbehavingCases(memoryPlace);
