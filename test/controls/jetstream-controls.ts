import type { Control } from "./control.ts";

export const jetstreamControls: readonly Control[] = [];
