import { createHash } from "node:crypto";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, type Stats } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Everything that a run may find in its environment unless a test says otherwise. */
export const CLEAN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** How long a run may take before it counts as hung, in milliseconds. */
const HUNG = 60_000;

export interface RunOptions {
  /** In addition to PATH. */
  env?: Record<string, string>;
  cwd?: string;
  /** The name that the program sees itself called by. */
  argv0?: string;
  stdin?: string;
  /** Another path to the program: a symbolic link, a copy. */
  program?: string;
  /** A command that runs the program: `["unshare", "-n"]`. */
  wrapper?: readonly string[];
  /** Milliseconds until it is killed. */
  timeout?: number;
}

export interface Result {
  /** 128 + n when signal n ended it, as a shell says it. */
  code: number;
  stdout: string;
  stderr: string;
}

/** The program under test. Missing is a failure, never a reason to skip. */
export function binaryPath(): string {
  const path = process.env.JOBLET_CERTS;
  if (!path) throw new Error("JOBLET_CERTS is not set: it has to hold the path of the built joblet-certs");
  return resolve(path);
}

export function start(args: readonly string[], options: RunOptions = {}) {
  return Bun.spawn([...(options.wrapper ?? []), options.program ?? binaryPath(), ...args], {
    env: { PATH: CLEAN_PATH, ...options.env },
    cwd: options.cwd ?? "/",
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: options.timeout ?? HUNG,
    killSignal: "SIGKILL",
    ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
  });
}

/** Runs the program to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const child = start(args, options);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** A run that only prepares a test: anything but success is an error of its own. */
export async function succeed(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const result = await run(args, options);
  if (result.code !== 0) throw new Error(`${args.join(" ")} ended with ${result.code}:\n${result.stderr}`);
  return result;
}

/** Runs a shell script, for what needs namespaces and mounts. `$1`, `$2`, … are the arguments. */
export async function shell(script: string, ...args: string[]): Promise<Result> {
  const wrapper = ["sh", "-euc", script, "sh"];
  return run(args.slice(1), { wrapper, ...(args[0] === undefined ? {} : { program: args[0] }) });
}

/** A directory that goes when its scope ends: `using home = tempDir()`. */
export interface TempDir extends Disposable {
  path: string;
  /** A path below it. */
  at(...parts: string[]): string;
}

export function tempDir(): TempDir {
  const path = mkdtempSync(join(tmpdir(), "joblet-certs-test-"));
  return {
    path,
    at: (...parts) => join(path, ...parts),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

export interface Entry {
  /** Octal, with the owner where it is not the tests' own user. */
  mode: string;
  /** SHA-256 of a file's bytes; what it is otherwise. */
  content: string;
}

/** Everything below a directory, to prove that nothing has changed. Symbolic links are not followed. */
export function tree(directory: string): Record<string, Entry> {
  const entries: Record<string, Entry> = {};
  const visit = (relative: string) => {
    const path = join(directory, relative);
    const stat = lstatSync(path);
    const owner = stat.uid === process.getuid?.() ? "" : ` of ${stat.uid}`;
    entries[relative || "."] = { mode: `${(stat.mode & 0o7777).toString(8)}${owner}`, content: contentOf(path, stat) };
    if (stat.isDirectory()) for (const name of readdirSync(path).sort()) visit(join(relative, name));
  };
  visit("");
  return entries;
}

function contentOf(path: string, stat: Stats): string {
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return `link to ${readlinkSync(path)}`;
  if (!stat.isFile()) return "special file";
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** Fails, with a way out, when the machine cannot run a test: not root, or a tool is missing. */
export function needRoot(what: string): void {
  if (process.getuid?.() !== 0) throw new Error(`this test needs root (${what}): run it with sudo or in a container`);
}

export function needTool(name: string, debianPackage: string): void {
  if (!Bun.which(name, { PATH: CLEAN_PATH })) {
    throw new Error(`this test needs ${name}: apt-get install ${debianPackage}`);
  }
}
