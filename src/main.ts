// The polyfill has to be evaluated before anything of @peculiar/x509; see src/pki/x509-library.ts.
import "reflect-metadata/lite";
import { run } from "./cli/run.ts";

// Explicit: a timer or socket of a library must not hold a boot up.
process.exit(await run(process.argv0, process.argv.slice(2), process.env));
