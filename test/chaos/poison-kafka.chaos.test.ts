import { kafkaPlace } from "./places.ts";
import { poisonCases } from "./poison-cases.ts";

poisonCases(() => kafkaPlace());
