// A reporter for node --test that prints one JSON line for each test, from which
// the Go tests make their subtests.
import { basename } from "node:path";
import { inspect } from "node:util";

export default async function* report(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const failed = type === "test:fail";
    const error = data.details.error;
    yield JSON.stringify({
      file: basename(data.file ?? data.name, ".test.mjs"),
      name: data.name,
      ms: Math.round(data.details.duration_ms),
      skipped: data.skip !== undefined || data.todo !== undefined,
      failure: failed ? inspect(error?.cause ?? error) : undefined,
    }) + "\n";
  }
}
