import { test } from "vitest";
import { memoryTransport } from "waybill/memory";
import { runConformance } from "waybill/testing";
import { memoryTarget } from "./targets/memory.ts";

runConformance(memoryTarget(), memoryTransport().capabilities, { test: test.concurrent });
