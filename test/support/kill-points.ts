import { readFileSync } from "node:fs";
import { needTool, type RunOptions, run, succeed, tempDir } from "./binary.ts";

/** One system call of a run, counted by its name: the moment right before it. */
export interface KillPoint {
  call: string;
  /** The how manieth call of this name, from 1. */
  count: number;
  /** Between the first and the last rename of the run. */
  publishing: boolean;
}

/** Calls that change what is on disk. The question mark: not every architecture has them all. */
export const CHANGING =
  "?rename,?renameat,?renameat2,?link,?linkat,?unlink,?unlinkat,?mkdir,?mkdirat,?rmdir,fsync,?fdatasync";
/** And what lies between them. */
export const ALL = `${CHANGING},?open,openat,close,write,fchmod,fchown`;

/** The calls of an undisturbed run, in the main thread, in their order. */
export async function killPoints(calls: string, args: readonly string[], options: RunOptions): Promise<KillPoint[]> {
  needTool("strace", "strace");
  using scratch = tempDir();
  const log = scratch.at("log");
  await succeed(args, { ...options, wrapper: ["strace", "-f", "-qq", "-o", log, "-e", `trace=${calls}`] });
  const lines = readFileSync(log, "utf8").split("\n");
  const entries = lines.flatMap((line) => {
    const match = /^(\d+) +(\w+)\(/.exec(line);
    return match ? [{ thread: match[1], call: match[2] ?? "" }] : [];
  });
  const isRename = (entry: { call: string }) => entry.call.startsWith("rename");
  const main = entries.find(isRename)?.thread;
  const own = entries.filter(({ thread }) => thread === main);
  const [first, last] = [own.findIndex(isRename), own.findLastIndex(isRename)];
  const counts = new Map<string, number>();
  return own.map(({ call }, at) => {
    const count = (counts.get(call) ?? 0) + 1;
    counts.set(call, count);
    return { call, count, publishing: at >= first && at <= last };
  });
}

/** Runs and kills with SIGKILL right before the call. True when it was killed. */
export async function killAt(
  { call, count }: KillPoint,
  args: readonly string[],
  options: RunOptions,
): Promise<boolean> {
  const inject = `inject=${call}:signal=KILL:when=${count}`;
  const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject];
  const { code } = await run(args, { ...options, wrapper });
  return code === 137;
}
