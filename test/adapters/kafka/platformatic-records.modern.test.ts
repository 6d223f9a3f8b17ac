import { recordsCases } from "./records-cases.ts";

recordsCases("platformatic");
