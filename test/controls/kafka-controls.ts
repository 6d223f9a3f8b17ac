import type { Control } from "./control.ts";

export const kafkaControls: readonly Control[] = [];
