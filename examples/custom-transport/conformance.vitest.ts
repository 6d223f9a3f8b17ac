// vitest run
import { test } from "vitest";
import { runConformance } from "waybill/testing";
import { capabilities } from "./broadcast-channel-transport.ts";
import { factory } from "./factory.ts";

runConformance(factory, capabilities, { test: test.concurrent });
