import { storedCases } from "./stored-cases.ts";

storedCases("platformatic");
