import type { IncomingMessage } from "../../core/message.ts";
import type { ReadOptions } from "../../core/transport.ts";
import type { ReceiveContext } from "./receive-context.ts";

export async function* readStored(context: ReceiveContext, wanted: ReadOptions): AsyncGenerator<IncomingMessage> {
  void context;
  void wanted;
}
