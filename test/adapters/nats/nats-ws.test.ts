import { natsWsClient } from "./clients.ts";
import { stallCases } from "./stall-cases.ts";
import { transportCases } from "./transport-cases.ts";

transportCases(natsWsClient);
stallCases(natsWsClient);
