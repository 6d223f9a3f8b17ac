import { natsWsClient } from "../adapters/nats/clients.ts";
import { clientCases } from "./client-cases.ts";
import { startReal } from "./real-server.ts";

clientCases(natsWsClient, startReal);
