import { randomUUID } from "node:crypto";
import { connect as connectSocket } from "node:net";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import { codeOf, messageOf } from "../errors.ts";

/** PEM texts of one side of a connection, exactly as they stand in the file that it will be configured by. */
export interface Side {
  cert: string;
  key: string;
  ca: string;
}

/** A client that presents no certificate has `cert` and `key` undefined. */
export type ClientSide = { ca: string } & ({ cert: string; key: string } | { cert?: undefined; key?: undefined });

export interface HandshakeResult {
  ok: boolean;
  /** Why it did not complete, in the TLS library's words. */
  problem?: string;
  /** The server turned the client away, rather than the client the server. */
  rejectedByServer?: boolean;
}

/** rnx checks this name, whatever address it dials. */
const SERVER_NAME = "joblet";
const DEADLINE = 10_000;
const GREETING = "joblet";
/** Codes by which the client itself refuses a server; anything else it sees is an alert, or the connection's end. */
const CLIENT_REFUSED = /^(?:CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_|PATH_LENGTH|ERR_TLS_CERT)/;

/**
 * Full mutual TLS 1.3 handshakes between a server and each client in turn, in this process. They run over an abstract
 * Unix socket: no network interface and no file is needed, and both ends are the TLS library that hosts really use.
 */
export async function handshakes(server: Side, clients: readonly ClientSide[]): Promise<HandshakeResult[]> {
  const path = `\0joblet-certs-${randomUUID()}`;
  const rejections: string[] = [];
  let listener: Server | undefined;
  try {
    // A certificate and key that do not fit are refused here, before any connection.
    listener = await listen(server, path, (reason) => rejections.push(reason));
    const results: HandshakeResult[] = [];
    for (const client of clients) {
      const result = await dial(path, client);
      const [reason] = rejections.splice(0);
      const byServer = !result.ok && reason !== undefined && !CLIENT_REFUSED.test(result.problem ?? "");
      results.push(byServer ? { ok: false, problem: reason, rejectedByServer: true } : result);
    }
    return results;
  } catch (error) {
    const problem = messageOf(error);
    return clients.map(() => ({ ok: false, problem }));
  } finally {
    listener?.close();
  }
}

function listen(server: Side, path: string, onRejection: (reason: string) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    // tls.createServer, not https: the latter does not expose the peer's certificate in this runtime.
    const listener = createServer(
      { ...server, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" },
      (socket: TLSSocket) => {
        socket.on("error", () => {});
        socket.end(socket.authorized ? GREETING : "");
      },
    );
    listener.on("tlsClientError", (error) => onRejection(describe(error)));
    listener.once("error", reject);
    listener.listen({ path }, () => resolve(listener));
  });
}

/** In TLS 1.3 the client finishes first: only data from the server shows that it accepted the client's certificate. */
function dial(path: string, client: ClientSide): Promise<HandshakeResult> {
  return new Promise((resolve) => {
    let received = "";
    let problem = "";
    const note = (error: unknown) => {
      problem ||= describe(error);
    };
    const raw = connectSocket({ path });
    // Errors of the transport beneath reach the TLS socket too; unhandled here they would end the process.
    raw.on("error", note);
    let socket: TLSSocket;
    try {
      socket = connect({
        ...client,
        socket: raw,
        servername: SERVER_NAME,
        minVersion: "TLSv1.3",
        rejectUnauthorized: true,
      });
    } catch (error) {
      // A certificate and key that do not fit are refused before any connection.
      raw.destroy();
      resolve({ ok: false, problem: describe(error) });
      return;
    }
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${DEADLINE / 1000} seconds`)), DEADLINE);
    socket.on("data", (chunk) => {
      received += String(chunk);
    });
    socket.on("error", note);
    socket.on("close", () => {
      clearTimeout(timer);
      const ok = received === GREETING && problem === "";
      resolve(ok ? { ok } : { ok, problem: problem || "the server closed the connection" });
    });
  });
}

function describe(error: unknown): string {
  return [codeOf(error), messageOf(error)].filter(Boolean).join(": ");
}
