// NestJS microservices as its users run them. Copied into .cache/bench-peers, where its packages are. Decorators are
// applied by hand: this file is not compiled.
import "reflect-metadata";
import { Controller, Logger, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ClientProxyFactory, EventPattern, MessagePattern, Transport } from "@nestjs/microservices";
import { lastValueFrom } from "rxjs";

// Its clients log that they were closed.
Logger.overrideLogger(["error"]);

const natsOptions = (url) => ({ transport: Transport.NATS, options: { servers: [url] } });

/** Resolves when the event is handed to the broker's client; on Kafka, when the broker has it. */
const emitted = (client, pattern, data) => lastValueFrom(client.emit(pattern, data), { defaultValue: undefined });

/** A client over NATS. */
export async function natsClient(url) {
  const client = ClientProxyFactory.create(natsOptions(url));
  await client.connect();
  return {
    emit: (pattern, data) => void client.emit(pattern, data),
    emitted: (pattern, data) => emitted(client, pattern, data),
    send: (pattern, data) => lastValueFrom(client.send(pattern, data)),
    flush: () => client.unwrap().flush(),
    close: () => client.close(),
  };
}

/** A client over Kafka that only publishes. */
export async function kafkaClient(brokers) {
  const client = ClientProxyFactory.create({
    transport: Transport.KAFKA,
    options: { client: { brokers: [brokers] }, producerOnlyMode: true },
  });
  await client.connect();
  return { emitted: (topic, message) => emitted(client, topic, message), close: () => client.close() };
}

/** A service with one handler, declared by `Pattern`, which is EventPattern or MessagePattern. */
async function serve(options, Pattern, pattern, handle) {
  class Handler {
    handle(data) {
      return handle(data);
    }
  }
  const { prototype } = Handler;
  Reflect.decorate([Pattern(pattern)], prototype, "handle", Object.getOwnPropertyDescriptor(prototype, "handle"));
  Controller()(Handler);
  class App {}
  Module({ controllers: [Handler] })(App);
  const app = await NestFactory.createMicroservice(App, { ...options, logger: ["error"] });
  await app.listen();
  return { close: () => app.close() };
}

/** Handles events of `pattern` over NATS. */
export const natsEvents = (url, pattern, handle) => serve(natsOptions(url), EventPattern, pattern, handle);

/** Answers requests of `pattern` over NATS. */
export const natsReplies = (url, pattern, handle) => serve(natsOptions(url), MessagePattern, pattern, handle);

/** Handles what a topic holds, as a group of its own that begins with the oldest record. */
export const kafkaEvents = (brokers, topic, groupId, handle) =>
  serve(
    {
      transport: Transport.KAFKA,
      options: { client: { brokers: [brokers] }, consumer: { groupId }, subscribe: { fromBeginning: true } },
    },
    EventPattern,
    topic,
    handle,
  );
