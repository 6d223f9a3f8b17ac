import { describe, expect, test } from "vitest";
import { StartPositions } from "../../../adapters/kafka/platformatic/positions.ts";
import { FakeVendorConsumer, layout } from "./fake-vendor.ts";

/** Answers the first questions with these codes of the broker. */
function refusing(codes: number[]): FakeVendorConsumer {
  const client = new FakeVendorConsumer();
  client.layout = layout("orders", 2);
  const list = client.listOffsets.bind(client);
  client.listOffsets = async (options) => {
    const apiCode = codes.shift();
    if (apiCode !== undefined) throw Object.assign(new Error("refused"), { apiCode });
    return list(options);
  };
  return client;
}

describe("where a new subscription begins", () => {
  test.each([5, 6, 74, 75])(
    "is asked again while a partition's leader moves (%i), as it does when a topic is new",
    async (apiCode) => {
      const client = refusing([apiCode, apiCode]);
      let cleared = 0;
      client.clearMetadata = () => void cleared++;
      const positions = new StartPositions(client, { topics: ["orders"], group: undefined, from: "new" } as never);
      expect(await positions.open()).toHaveLength(2);
      expect(cleared).toBe(2);
    },
  );

  test("is refused with what the broker says otherwise", async () => {
    const positions = new StartPositions(refusing([29]), { topics: ["orders"], from: "new" } as never);
    await expect(positions.open()).rejects.toMatchObject({ code: "transport-failed" });
  });
});
