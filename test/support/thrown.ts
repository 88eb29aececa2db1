import { Failure } from "../../src/errors.ts";

/** The expected failure that some work throws; anything else is passed on. */
export function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("expected a Failure");
}
