import { ExitCode, Failure } from "../errors.ts";

/** No release of this program is older: a clock before it was never set. */
const EARLIEST = Date.UTC(2024, 0, 1);

/** Milliseconds since the epoch. @throws Failure 3 when this host's clock cannot be right */
export function requireClock(): number {
  const now = Date.now();
  if (now >= EARLIEST) return now;
  throw new Failure(
    ExitCode.checkFailed,
    `this host's clock is implausible: it says ${new Date(now).toISOString()}`,
    "set the clock (timedatectl, chronyd), then run again",
  );
}
