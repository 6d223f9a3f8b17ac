import { context as contextApi, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";

const probe = /* @__PURE__ */ ROOT_CONTEXT.setValue(/* @__PURE__ */ createContextKey("waybill probe"), true);
const isActive = (): boolean => contextApi.active() === probe;

/** Whether a context manager is registered. Without one no code ever sees the context that it is called in. */
export function isContextManaged(): boolean {
  return contextApi.with(probe, isActive);
}
