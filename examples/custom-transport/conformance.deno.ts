// deno test -A conformance.deno.ts
import { runConformance } from "waybill/testing";
import { capabilities } from "./broadcast-channel-transport.ts";
import { factory } from "./factory.ts";

declare const Deno: { readonly test: (name: string, run: () => Promise<void>) => void };

runConformance(factory, capabilities, { test: Deno.test });
