import type { HeaderCarrier, IncomingMessage } from "../../core/message.ts";
import { headerCarrier } from "./header-carrier.ts";
import type { NatsMessageLike } from "./nats-like.ts";

/** A message as the port wants it. `replyTo` is set only when it lies under one of `replyPrefixes`. */
export function incomingMessage(
  message: NatsMessageLike,
  replyPrefixes: readonly string[] | undefined,
): IncomingMessage {
  const { reply } = message;
  const headers: HeaderCarrier = headerCarrier(message);
  const base = { destination: message.subject, headers, body: message.data };
  if (!reply || !(replyPrefixes ?? ["_INBOX."]).some((prefix) => reply.startsWith(prefix))) return base;
  return { ...base, replyTo: reply };
}
