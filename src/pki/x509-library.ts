// The only door to @peculiar/x509. The polyfill has to be evaluated before it: in a compiled binary a wrong order
// crashes at start, under `bun run` it does not. `lite` because the full polyfill calls Function(), which is disabled.
import "reflect-metadata/lite";

export * from "@peculiar/x509";
