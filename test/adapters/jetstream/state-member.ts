// Counts in a store, one among several: `node --import tsx state-member.ts <port> <store> <key> <times>`. Prints how
// often it surely did, and how often nobody can tell.
import { connect } from "@nats-io/transport-node";
import { EventError } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";

const [port = "", store = "", key = "", times = ""] = process.argv.slice(2);
const connection = await connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
const state = await jetstreamTransport({ connection }).openState!(store);
console.log("ready");
const counted = { surely: 0, perhaps: 0 };
while (counted.surely < Number(times)) {
  try {
    const before = await state.get(key);
    const revision = await state.put(key, String(Number(before?.value ?? 0) + 1), before?.revision ?? 0);
    if (revision !== undefined) counted.surely++;
  } catch (reason) {
    if (reason instanceof EventError && reason.outcome === "unknown") counted.perhaps++;
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
console.log(JSON.stringify(counted));
process.exit(0);
