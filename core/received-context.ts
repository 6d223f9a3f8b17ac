import { type Context, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import type { CloudEvent } from "./event.ts";
import type { IncomingMessage } from "./message.ts";
import { describeMessage, linksTo } from "./reader.ts";
import type { ReceiverParts } from "./receiver.ts";
import type { Registration } from "./reception.ts";
import { spanKinds } from "./telemetry/span-kinds.ts";
import type { Attributes } from "./telemetry/tracing.ts";

/** What counts of the context that a sender gave. */
export function trusted(
  sent: Context,
  { trust = "continue", correlation = "parent" }: Registration["options"],
): Context {
  const context = trust === "continue" ? sent : ROOT_CONTEXT;
  return correlation === "link" ? trace.deleteSpan(context) : context;
}

/** The span of a delivery, and the context in which its handler runs. */
export function openSpan(
  { env, reader, reception }: ReceiverParts,
  message: IncomingMessage,
  event: CloudEvent,
  options: Registration["options"],
): { readonly context: Context; readonly span: Span } {
  const { capabilities, group } = reception;
  const sent = reader.extract({ message, event });
  const context = trusted(sent, options);
  const attributes: Attributes = {
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.system": capabilities.system,
  };
  if (group !== undefined) attributes["messaging.consumer.group.name"] = group;
  const span = env.tracing.start(
    `process ${message.destination}`,
    spanKinds.process,
    describeMessage(attributes, capabilities, message, event),
    context,
    options.trust === "drop" ? [] : linksTo(event, sent),
  );
  return { context: trace.setSpan(context, span), span };
}
