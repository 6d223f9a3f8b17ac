import type { Api } from "../../../adapters/jetstream/api.ts";
import type { ReceiveContext } from "../../../adapters/jetstream/receive-context.ts";

/** What a FAKE API answers to a request, by its subject. */
export type Answers = (subject: string, body: unknown) => object | Promise<object>;

/** A FAKE API, and all that was asked of it. */
export function fakeApi(answers: Answers, exchange: Api["exchange"] = () => Promise.reject(new Error("not modelled"))) {
  const asked: { subject: string; body: unknown }[] = [];
  const api = {
    prefix: "$JS.API.",
    async request(subject: string, body?: unknown) {
      asked.push({ subject, body });
      return answers(subject, body);
    },
    exchange,
  } as Api;
  return { api, asked };
}

/** A context of which that alone works. */
export function contextOf(api: Api, more: object = {}): ReceiveContext {
  return { api, options: {}, partitions: { count: () => 0 }, ...more } as unknown as ReceiveContext;
}

/** An error as the server answers it. */
export function refusal(err_code: number, code = 404): object {
  return { error: { code, err_code, description: `refused with ${err_code}` } };
}
