import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createEventBus } from "waybill";
import { natsTransport } from "waybill/nats";
import type { NatsServer } from "../../test/support/nats-server.ts";
import { data, source, within } from "../event.ts";
import type { Row } from "../result.ts";
import { latencies } from "../support/latency.ts";
import { nest } from "../support/nest.ts";

const turns = { count: 300, rounds: 20, warmUp: 5 };
const type = "bench.quote";
const quote = { price: 12.5, currency: "EUR" };
const decoder = new TextDecoder();

/** A request and its reply, one after another; who asks and who answers have a connection each, in this process. */
export async function requestReply(connection: NatsConnection, server: NatsServer): Promise<readonly Row[]> {
  const answering = await connect({ servers: server.url });
  const asking = createEventBus({ source, transports: { nats: natsTransport({ connection }) } });
  const responding = createEventBus({ source, transports: { nats: natsTransport({ connection: answering }) } });
  await responding.respond(type, () => quote);

  const rawSubject = `${type}.raw`;
  answering.subscribe(rawSubject, {
    callback: (error, message) => {
      if (error === null && message.json() !== undefined) message.respond(JSON.stringify(quote));
    },
  });
  await answering.flush();

  const { natsClient, natsReplies } = await nest();
  const nestSubject = `${type}.nest`;
  const service = await natsReplies(server.url, nestSubject, () => quote);
  const client = await natsClient(server.url);

  const rawRequest = async (): Promise<unknown> => {
    const reply = await connection.request(rawSubject, JSON.stringify(data), { timeout: 5_000 });
    return JSON.parse(decoder.decode(reply.data));
  };
  try {
    return await latencies(
      "NATS: request and reply",
      [
        { name: "bus.request", one: () => asking.request(type, data, { context: within }) },
        { name: "raw request()", one: rawRequest },
        { name: "NestJS send", one: () => client.send(nestSubject, data) },
      ],
      turns,
      "theirs carry neither an id nor a trace context",
    );
  } finally {
    await client.close();
    await service.close();
    await answering.close();
  }
}
