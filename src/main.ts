// The polyfill has to be evaluated before anything of @peculiar/x509; see src/pki/x509-library.ts.
import "reflect-metadata/lite";
import { basename } from "node:path";
import { Output } from "./cli/output.ts";

/** The one catch: whatever is thrown becomes one line of error, one of remedy, and an exit code. */
async function main(args: readonly string[]): Promise<number> {
  const output = new Output({ json: args.includes("--json"), verbose: args.includes("--verbose") });
  try {
    const { dispatch } = await import("./cli/dispatch.ts");
    return await dispatch(basename(process.argv0), args, process.env, output);
  } catch (error) {
    return output.failure(error);
  }
}

// Explicit: a timer or socket of a library must not hold a boot up.
process.exit(await main(process.argv.slice(2)));
