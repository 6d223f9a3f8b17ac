import { tcpClient } from "./clients.ts";
import { stallCases } from "./stall-cases.ts";
import { transportCases } from "./transport-cases.ts";

transportCases(tcpClient);
stallCases(tcpClient);
