import { describe } from "vitest";
import { jetstreamPlace } from "./places.ts";
import { poisonCases } from "./poison-cases.ts";

describe("JetStream", () => poisonCases(() => jetstreamPlace(), false));
describe("JetStream with partitions", () => poisonCases(() => jetstreamPlace(8)));
