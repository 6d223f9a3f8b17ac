// A redrive in a process of its own, so that it can be killed: `node --expose-gc --import tsx redrive-many-runner.ts
// <settings as JSON>`. Tells its progress, its heap, and what it did at the end, one JSON a line.
import { createEventBus } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { openTransport, type RunnerLine, type RunnerSettings } from "./redrive-many.ts";

const { place, destination, letters, rate, killAt } = JSON.parse(process.argv[2] ?? "") as RunnerSettings;
const tell = (line: RunnerLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const { transport, close } = await openTransport(place);
const bus = createEventBus({ source: "/operator", transports: { main: transport } });
bus.onError((error) => console.error(error.code, error.message));
const queue = await createDeadLetterQueue({ bus, destination });
let dying = false;
/** Parts of what it has seen at which the heap is measured. */
const parts = [0.2, 0.9];
const report = await queue.redrive(
  {},
  {
    ...(rate !== undefined && { rate }),
    onProgress: ({ seen, redriven }) => {
      tell({ redriven, atMs: Date.now() });
      if (killAt && redriven >= killAt.copies && !dying) {
        dying = true;
        // By itself: whoever looks on from another process may be so late that the run is over.
        setTimeout(() => process.kill(process.pid, "SIGKILL"), killAt.delayMs);
      }
      while (parts.length > 0 && seen >= parts[0]! * letters) {
        globalThis.gc?.();
        tell({ part: parts.shift()!, heapBytes: process.memoryUsage().heapUsed });
      }
    },
  },
);
tell({ report });
await bus.close();
await close();
