import { misbehavingCases } from "./misbehaving-cases.ts";
import { kafkaPlace } from "./places.ts";

misbehavingCases(() => kafkaPlace(6_000, 500));
