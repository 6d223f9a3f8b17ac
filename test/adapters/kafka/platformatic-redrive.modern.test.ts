import { redriveCases } from "./redrive-cases.ts";

redriveCases("platformatic");
