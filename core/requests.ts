import { decodeMessage } from "./codec/detect.ts";
import { deadline } from "./deadline.ts";
import type { IdempotencyOptions } from "./delivery/idempotency.ts";
import { createOnce, type Once, Postponed } from "./delivery/once.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";
import { type DeliveryView, requested } from "./handler-delivery.ts";
import type { HandlerDelivery, PublishOptions, SubscribeOptions, WaitOptions } from "./options.ts";
import type { Outbound } from "./outgoing.ts";
import { routesOf } from "./reach.ts";
import type { RawHandler } from "./reception.ts";
import { noRoute } from "./routing.ts";
import { validate } from "./schema.ts";
import { type Subscriber, type Subscription, unsupported } from "./subscriber.ts";
import { endSpan } from "./telemetry/tracing.ts";

/** Request and reply over the transports of a bus. */
export interface Requests {
  request(type: string, data: unknown, options?: PublishOptions & WaitOptions): Promise<CloudEvent>;
  respond(type: string, handler: RawHandler, options?: SubscribeOptions): Promise<Subscription>;
  /** The bus closes: responders leave no timer behind. */
  stop(): void;
}

/** How an answer says that its responder failed: RFC 9457. */
const problemType = "application/problem+json";
const defaultTimeoutMs = 5000;

/** Makes the requests of a bus. */
export function createRequests(env: Environment, { prepare }: Outbound, subscriber: Subscriber): Requests {
  const { clock, limits, router } = env;
  /** What responders do once, while they listen. */
  const responding = new Set<Once>();

  async function request(type: string, data: unknown, options: PublishOptions & WaitOptions = {}): Promise<CloudEvent> {
    env.checkOpen();
    const plan = router.plan(type, data, options);
    const { transport, definition } = plan;
    if (!transport.request) throw unsupported(plan.name, "requests");
    if (definition) await validate(definition.schema, data, type);
    const sending = prepare(plan, data, options, "request");
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    // The transport keeps the time; the signal is the caller's alone.
    const limit = deadline(clock, { signal: options.signal });
    let failure: EventError | undefined;
    try {
      const message = await transport.request(sending.message, { timeoutMs, signal: limit?.signal });
      const reply = decodeMessage(message, transport.capabilities.binding, limits);
      if (reply.datacontenttype === problemType) throw remoteError(reply.data);
      if (!definition?.reply) return reply;
      const answer = await validate(definition.reply, reply.data, `the reply to "${type}"`);
      return Object.freeze({ ...reply, data: answer });
    } catch (reason) {
      failure = EventError.from(reason);
      throw failure;
    } finally {
      limit?.stop();
      endSpan(sending.span, failure);
    }
  }

  async function respond(type: string, handler: RawHandler, options: SubscribeOptions = {}): Promise<Subscription> {
    // Which events a route takes does not matter here: an answer goes where its request asks for it.
    const name: string | undefined = options.transport ?? [routesOf(router, type)[0]?.to ?? []].flat()[0];
    if (name === undefined) throw noRoute(type);
    if (options.batch) throw new EventError("invalid-option", "requests are answered one by one, not by batches");
    const transport = router.transport(name);
    if (!transport.request) throw unsupported(name, "requests");
    const definition = router.definition(type);
    const plan = { type: `${type}.reply`, name, transport, definition: undefined };
    // Done here and not by the subscription: a repeated request is answered too.
    const { idempotency, ...listening } = options;
    const once = idempotency && createOnce(idempotency as IdempotencyOptions<never>, options.group, clock);
    const work = async (event: CloudEvent, delivery: HandlerDelivery): Promise<unknown> => {
      const given = await handler(event, delivery);
      // What it asked for goes before what it returned, and is not taken for done.
      const { request } = delivery as DeliveryView;
      if (request) throw requested(request);
      if (definition?.reply) await validate(definition.reply, given, `the reply to "${type}"`);
      return given;
    };
    const workOnce = async (event: CloudEvent, delivery: HandlerDelivery): Promise<unknown> => {
      const workIn = (transaction: unknown): Promise<unknown> => {
        (delivery as { transaction: unknown }).transaction = transaction;
        return work(event, delivery);
      };
      const { result } = await once!.run(event, delivery, workIn, (given) => {
        return given === undefined ? undefined : JSON.stringify(given);
      });
      return result === undefined ? undefined : JSON.parse(result);
    };
    const answering = async (event: CloudEvent, delivery: HandlerDelivery): Promise<void> => {
      let answer: unknown;
      let failure: unknown;
      try {
        answer = await (once ? workOnce : work)(event, delivery);
      } catch (reason) {
        // Another member answers this request, its requester asks again, or the next attempt answers it.
        if (reason instanceof Postponed || (delivery as DeliveryView).request?.kind === "retry") throw reason;
        failure = reason;
        answer = problem(EventError.from(reason, "handler-failed"));
      }
      const { replyTo } = delivery;
      if (replyTo !== undefined) await reply(replyTo, answer, failure !== undefined, event, delivery);
      // Reported, but not tried again: the requester has its answer.
      if (failure !== undefined) {
        const { code, message } = EventError.from(failure, "handler-failed");
        throw new EventError(code, message, { cause: failure });
      }
    };
    const subscription = await subscriber.subscribe(type, answering, listening);
    if (!once) return subscription;
    responding.add(once);
    const close: Subscription["close"] = (closing) => {
      once.stop();
      responding.delete(once);
      return subscription.close(closing);
    };
    return {
      ...subscription,
      close,
      async [Symbol.asyncDispose]() {
        await close();
      },
    };

    async function reply(
      destination: string,
      data: unknown,
      failed: boolean,
      { id, extensions }: CloudEvent,
      { context }: HandlerDelivery,
    ): Promise<void> {
      const message = prepare(
        { ...plan, destination },
        data,
        {
          context,
          datacontenttype: failed ? problemType : undefined,
          extensions: { correlationid: extensions.correlationid ?? id, causationid: id },
        },
        "reply",
      ).message;
      const [outcome] = await transport.publish([message]);
      if (!outcome!.stored) throw outcome!.error;
    }
  }
  return {
    request,
    respond,
    stop() {
      for (const once of responding) once.stop();
    },
  };
}

/** Says the code of a failure and nothing else: messages may hold what is not the requester's to know. */
function problem({ code }: EventError): Record<string, unknown> {
  return { type: "about:blank", title: "The responder failed", status: 500, code };
}

function remoteError(data: unknown): EventError {
  const { title, code } = (data ?? {}) as { title?: unknown; code?: unknown };
  return new EventError("remote-error", `${String(title)} (${String(code)})`, { cause: data });
}
