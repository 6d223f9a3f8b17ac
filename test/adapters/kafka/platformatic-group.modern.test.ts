import { groupCases } from "./group-cases.ts";

groupCases("platformatic");
