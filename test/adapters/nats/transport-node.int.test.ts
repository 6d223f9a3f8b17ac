import { tcpClient } from "./clients.ts";
import { serverCases } from "./server-cases.ts";

serverCases(tcpClient);
