import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as apt from "../apt.mjs";
import { cache } from "../paths.mjs";
import { probe, run } from "../run.mjs";

const version = "4.3.1";
const oldestJava = 17;
const folder = cache("tools", "kafka");

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>waybill</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
  </dependencies>
</project>
`;

function javaVersion() {
  const major = Number(probe("java", ["-version"])?.match(/version "(\d+)/)?.[1] ?? 0);
  return major >= oldestJava ? major : undefined;
}

/** A Java that runs the broker. */
export async function ensureJava() {
  if (javaVersion()) return { state: "found", detail: `Java ${javaVersion()}` };
  const packages = ["openjdk-21-jre-headless", "openjdk-17-jre-headless", "openjdk-25-jre-headless"];
  const name = apt.canInstall && (await apt.firstOffered(packages));
  if (name && (await apt.install([name])) && javaVersion()) return { state: "installed", detail: `${name} by apt-get` };
  return {
    state: "missing",
    detail: `no Java ${oldestJava} or newer`,
    install: [`Java ${oldestJava} or newer (a headless JRE is enough)`],
  };
}

/** The broker's jars in `.cache/tools/kafka`. */
export async function ensureKafka() {
  if (existsSync(join(folder, `kafka_2.13-${version}.jar`))) {
    return { state: "found", detail: `${version} in .cache/tools/kafka` };
  }
  const absent = { state: "missing", install: ["Maven 3 (mvn), which fetches the broker's jars"] };
  const maven = () => probe("mvn", ["--version"]) !== undefined;
  if (!maven() && !((await apt.install(["maven"])) && maven())) return { ...absent, detail: "no Maven" };

  // The jars arrive in a folder of their own, so that an interrupted copy is never taken for a whole one.
  const partial = cache("tools", "kafka-partial");
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(partial, "pom.xml"), pom);
  console.log(`Installing the Kafka broker with Maven: org.apache.kafka:kafka_2.13:${version}`);
  const args = [
    "--batch-mode",
    "--no-transfer-progress",
    "--quiet",
    "dependency:copy-dependencies",
    "-DoutputDirectory=jars",
  ];
  const { code } = await run("mvn", args, { label: "mvn", cwd: partial });
  if (code !== 0) return { ...absent, detail: "Maven could not fetch the broker's jars" };
  rmSync(folder, { recursive: true, force: true });
  renameSync(join(partial, "jars"), folder);
  rmSync(partial, { recursive: true, force: true });
  return { state: "installed", detail: `${version}, ${readdirSync(folder).length} jars by Maven` };
}
