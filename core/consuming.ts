import type { Environment } from "./environment.ts";
import { createForwarder, type Forwarder } from "./forwarder.ts";
import type { Outbound } from "./outgoing.ts";
import type { Publisher } from "./publisher.ts";
import { createRequests, type Requests } from "./requests.ts";
import { createSubscriber, type Subscriber } from "./subscriber.ts";

/** The half of a bus that receives, and passes on what it received. */
export type Consuming = Subscriber & Requests & Forwarder;

/** Makes the consuming half of a bus. */
export function createConsuming(env: Environment, outbound: Outbound, { publish, send }: Publisher): Consuming {
  const subscriber = createSubscriber(env, publish);
  const requests = createRequests(env, outbound, subscriber);
  return {
    ...subscriber,
    ...requests,
    ...createForwarder(env, send),
    close(options) {
      requests.stop();
      return subscriber.close(options);
    },
  };
}
