import { storedCases } from "./stored-cases.ts";

storedCases("confluent");
