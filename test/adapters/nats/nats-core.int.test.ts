import { natsCoreClient } from "./clients.ts";
import { serverCases } from "./server-cases.ts";

serverCases(natsCoreClient);
