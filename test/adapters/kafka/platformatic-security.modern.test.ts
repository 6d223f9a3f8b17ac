import { securityCases } from "./security-cases.ts";

securityCases("platformatic");
