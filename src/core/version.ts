import { readFileSync } from "node:fs";

/** Version of Antidote, from its package.json. */
export const VERSION = versionIn(new URL("../../package.json", import.meta.url));

function versionIn(manifest: URL): string {
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return version;
}
