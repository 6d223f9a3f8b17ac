import { describe } from "vitest";
import { misbehavingCases } from "./misbehaving-cases.ts";
import { jetstreamPlace } from "./places.ts";

describe("JetStream", () => misbehavingCases(() => jetstreamPlace(undefined, 2_000)));
describe("JetStream with partitions", () => misbehavingCases(() => jetstreamPlace(2, 2_000)));
