import { tcpClient } from "../nats/clients.ts";
import { clientCases } from "./client-cases.ts";

clientCases(tcpClient);
