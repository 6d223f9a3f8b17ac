import type { Link } from "./link.ts";

/** Resolves with true as soon as the link is connected, with false once it is closed. */
export function whenConnected(link: Link): Promise<boolean> {
  return new Promise((resolve) => {
    const look = (): boolean => {
      if (link.state === "disconnected") return false;
      resolve(link.state === "connected");
      return true;
    };
    if (look()) return;
    const unlisten = link.listen(() => {
      if (look()) unlisten();
    });
  });
}
