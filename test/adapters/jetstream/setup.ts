import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { jetstreamTransport } from "../../../adapters/jetstream/index.ts";
import type { JetStreamTransportOptions } from "../../../adapters/jetstream/options.ts";
import type { OutgoingMessage } from "../../../core/message.ts";
import type { Transport } from "../../../core/transport.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { type TestConnection, tcpClient } from "../nats/clients.ts";

/** A server with JetStream, and the client's own manager to look behind the transport. */
export interface JetStreamSetup extends AsyncDisposable {
  readonly server: NatsServer;
  readonly connection: TestConnection;
  readonly manager: JetStreamManager;
  /** A transport over a connection of its own, closed at the end. */
  transport(options?: Partial<JetStreamTransportOptions>): Promise<Transport>;
  /** Another connection, closed at the end. */
  connect(port?: number): Promise<TestConnection>;
}

/** Starts it. */
export async function startJetStream(): Promise<JetStreamSetup> {
  const server = await startNatsServer({ jetstream: true });
  const connections: TestConnection[] = [];
  const connect = async (port = server.port): Promise<TestConnection> => {
    const made = await tcpClient.open({ port, websocketPort: 0 });
    connections.push(made);
    return made;
  };
  const connection = await connect();
  const manager = await jetstreamManager(connection as unknown as NatsConnection);
  return {
    server,
    connection,
    manager,
    connect,
    transport: async (options = {}) => jetstreamTransport({ connection: await connect(), ...options }),
    async [Symbol.asyncDispose]() {
      for (const each of connections) await each.close();
      await server.stop();
    },
  };
}

/** A message to a destination, with an id and perhaps a key. */
export function message(
  destination: string,
  body: string,
  given: { dedupId?: string; key?: string } = {},
): OutgoingMessage {
  const headers = given.key === undefined ? [] : ["ce-partitionkey", given.key];
  return { destination, body, headers, ...given };
}
