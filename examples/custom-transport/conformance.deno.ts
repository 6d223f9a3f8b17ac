// deno test -A conformance.deno.ts
import { runConformance } from "waybill/testing";
import { capabilities, factory } from "./factory.ts";

declare const Deno: { readonly test: (name: string, run: () => Promise<void>) => void };

runConformance(factory, capabilities, { test: Deno.test });
