// A member that dies of what it gets: `node --import tsx given-up-member.ts <port> <destination> <group>`. Says so and
// waits to be killed, with everything it got unsettled.
import { connect } from "@nats-io/transport-node";
import { jetstreamTransport } from "waybill/jetstream";

const [port = "", destination = "", group = ""] = process.argv.slice(2);
const connection = await connect({ servers: `127.0.0.1:${port}` });
const transport = jetstreamTransport({ connection, ackWaitMs: 1_000, durableName: (name) => name });
const subscription = await transport.consume(
  { destinations: [destination], group, from: "earliest" },
  {
    deliver: ({ position, attempt, givenUp }) => process.stdout.write(`${position} ${attempt} ${givenUp ?? ""}\n`),
    revoke: () => Promise.resolve(),
    failed: (error) => console.error(error.message),
  },
);
subscription.credit(10);
