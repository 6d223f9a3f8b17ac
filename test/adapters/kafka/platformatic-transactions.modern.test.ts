import { transactionCases } from "./transaction-cases.ts";

transactionCases("platformatic");
