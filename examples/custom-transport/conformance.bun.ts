// bun test ./conformance.bun.ts
// @ts-expect-error the module exists in Bun alone
import { test } from "bun:test";
import { runConformance } from "waybill/testing";
import { capabilities } from "./broadcast-channel-transport.ts";
import { factory } from "./factory.ts";

runConformance(factory, capabilities, { test });
