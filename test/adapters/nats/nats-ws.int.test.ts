import { natsWsClient } from "./clients.ts";
import { serverCases } from "./server-cases.ts";

serverCases(natsWsClient);
