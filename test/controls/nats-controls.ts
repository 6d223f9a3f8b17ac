import type { Control } from "./control.ts";

export const natsControls: readonly Control[] = [];
