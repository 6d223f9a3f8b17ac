import { transactionCases } from "./transaction-cases.ts";

transactionCases("confluent");
