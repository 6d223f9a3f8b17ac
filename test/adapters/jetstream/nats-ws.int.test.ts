import { natsWsClient } from "../nats/clients.ts";
import { clientCases } from "./client-cases.ts";

clientCases(natsWsClient);
