import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { CLEAN_PATH } from "../support/binary.ts";
import { fileOf, homeWith, KEY_TYPES, type Side, TWO_ROLES, tool } from "../support/interop.ts";

setDefaultTimeout(60_000);

const DEADLINE = 30_000;

/** openssl at work, with all that it has said so far. */
class Conversation {
  said = "";
  readonly #child;
  readonly #ended: Promise<unknown>;
  #listener: () => void = () => {};

  constructor(args: readonly string[]) {
    this.#child = Bun.spawn([tool("OPENSSL"), ...args], {
      env: { PATH: CLEAN_PATH },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      timeout: DEADLINE,
      killSignal: "SIGKILL",
    });
    const listen = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const chunk of stream) {
        this.said += decoder.decode(chunk, { stream: true });
        this.#listener();
      }
    };
    this.#ended = Promise.all([listen(this.#child.stdout), listen(this.#child.stderr), this.#child.exited]);
  }

  /** Until it has said this; fails when it ends before. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    let over = false;
    const ended = this.#ended.then(() => {
      over = true;
    });
    for (;;) {
      const found = pattern.exec(this.said);
      if (found) return found;
      if (over) throw new Error(`openssl ended without ${pattern}:\n${this.said}`);
      await Promise.race([
        ended,
        new Promise<void>((resolve) => {
          this.#listener = resolve;
        }),
      ]);
    }
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`);
    this.#child.stdin.flush();
  }

  /** Ends its input; the result is its exit code. */
  async finish(): Promise<number> {
    this.#child.stdin.end();
    await this.#ended;
    return this.#child.exitCode ?? -1;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

const running: Conversation[] = [];
afterEach(() => {
  for (const conversation of running.splice(0)) conversation.kill();
});

function openssl(...args: string[]): Conversation {
  const conversation = new Conversation(args);
  running.push(conversation);
  return conversation;
}

function credentials({ cert, key, ca }: Side): string[] {
  return ["-cert", fileOf(cert), "-key", fileOf(key), ...trust(ca)];
}

/** Roots to verify with, not to complete the own chain with: what is sent is exactly what the file holds. */
function trust(ca: string): string[] {
  return ["-verifyCAfile", fileOf(ca), "-no-CApath", "-no-CAstore", "-verify_return_error", "-tls1_3"];
}

/** Takes one connection, requires a certificate, and sends every line back reversed. */
async function startServer(side: Side): Promise<{ server: Conversation; port: number }> {
  const once = ["-accept", "127.0.0.1:0", "-naccept", "1"];
  const server = openssl("s_server", ...once, "-Verify", "3", "-rev", ...credentials(side));
  const [, port] = await server.until(/^ACCEPT 127\.0\.0\.1:(\d+)$/m);
  return { server, port: Number(port) };
}

function startClient(port: number, ...more: string[]): Conversation {
  const dialled = ["-connect", `127.0.0.1:${port}`, "-servername", "joblet", "-verify_hostname", "joblet"];
  return openssl("s_client", "-brief", ...dialled, ...more);
}

test.each(KEY_TYPES)(
  "%s: OpenSSL's server and client reach each other with the generated files, in every role",
  async (type) => {
    const home = await homeWith(type);
    for (const role of TWO_ROLES) {
      const { server, port } = await startServer(home.server());
      const client = startClient(port, ...credentials(home.node(role)));
      client.say("there and back");
      await client.until(/^kcab dna ereht$/m);
      expect(await client.finish()).toBe(0);
      expect(client.said).toMatch(/^Verification: OK$/m);
      expect(client.said).toMatch(/^Verified peername: joblet$/m);
      expect(client.said).toMatch(/^Protocol version: TLSv1\.3$/m);
      await server.until(new RegExp(`^Peer certificate: O ?= ?Joblet, OU ?= ?${role}, CN ?= ?${role}-client$`, "m"));
      expect(server.said).toMatch(/^Protocol version: TLSv1\.3$/m);
      expect(server.said).toMatch(/^Verification: OK$/m);
    }
  },
);

test("OpenSSL's server turns away a client without a certificate, or of another CA", async () => {
  const [home, other] = [await homeWith("ec-p256"), await homeWith("ec-p384")];
  const { ca } = home.server();
  for (const [args, reason] of [
    [trust(ca), /peer did not return a certificate/],
    [credentials({ ...other.node("admin"), ca }), /unable to get local issuer certificate/],
  ] as const) {
    const { server, port } = await startServer(home.server());
    const client = startClient(port, ...args);
    client.say("let me in");
    await server.until(reason);
    await client.until(/alert (certificate required|unknown ca)/);
    expect(client.said).not.toContain("ni em tel");
  }
});

test("OpenSSL's client turns away a server of another CA, or of another name", async () => {
  const [home, other] = [await homeWith("ec-p256"), await homeWith("ec-p384")];
  for (const [side, name, reason] of [
    [other.server(), "joblet", /unable to get local issuer certificate/],
    [home.server(), "other", /hostname mismatch/i],
  ] as const) {
    const { port } = await startServer(side);
    const client = startClient(port, ...credentials(home.node("admin")), "-verify_hostname", name);
    await client.until(reason);
    expect(await client.finish()).not.toBe(0);
  }
});

test.each(KEY_TYPES)(
  "%s: OpenSSL's client reaches a server of the library that hosts prove the files with",
  async (type) => {
    const home = await homeWith(type);
    const listener = createServer(
      { ...home.server(), requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" },
      (socket: TLSSocket) => {
        socket.on("error", () => {});
        const { OU } = socket.getPeerCertificate().subject;
        socket.once("data", (heard) => socket.end(`${socket.authorized ? OU : "nobody"} said ${heard}`));
      },
    );
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = listener.address() as AddressInfo;
      for (const role of TWO_ROLES) {
        const client = startClient(port, ...credentials(home.node(role)));
        client.say("hello");
        await client.until(new RegExp(`^${role} said hello$`, "m"));
        expect(client.said).toMatch(/^Verification: OK$/m);
      }
    } finally {
      listener.close();
    }
  },
);

test.each(KEY_TYPES)(
  "%s: a client of the library that hosts prove the files with reaches OpenSSL's server",
  async (type) => {
    const home = await homeWith(type);
    for (const role of TWO_ROLES) {
      const { server, port } = await startServer(home.server());
      const { cert, key, ca } = home.node(role);
      const heard = await new Promise<string>((resolve, reject) => {
        const socket = connect({ host: "127.0.0.1", port, servername: "joblet", cert, key, ca, minVersion: "TLSv1.3" });
        socket.setTimeout(DEADLINE, () => socket.destroy(new Error("no answer")));
        socket.on("error", reject);
        socket.on("secureConnect", () => socket.write("there and back\n"));
        socket.once("data", (data) => {
          resolve(String(data));
          socket.end();
        });
      });
      expect(heard).toBe("kcab dna ereht\n");
      await server.until(new RegExp(`^Peer certificate: O ?= ?Joblet, OU ?= ?${role}, CN ?= ?${role}-client$`, "m"));
    }
  },
);
