import { tcpClient } from "../adapters/nats/clients.ts";
import { clientCases } from "./client-cases.ts";
import { startEmbedded } from "./embedded-server.ts";

clientCases(tcpClient, startEmbedded);
