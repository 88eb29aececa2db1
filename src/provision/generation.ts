import { parseIdentity, parseRoots } from "../pki/validate.ts";
import type { Composition } from "./compose.ts";
import { clientFiles, type Installation } from "./installation.ts";

/** Whether publishing would change the roots or a client certificate of what is installed. A first install does not. */
export function generationChanges(installation: Installation, composition: Composition): boolean {
  const { server } = installation;
  if (server?.caCert !== undefined && rootPrints(server.caCert) !== rootPrints(composition.server.config.caCert ?? ""))
    return true;
  const before = [...clientFiles(installation), installation.systemClient];
  return composition.clients.some(({ path, config }) => {
    const nodes = before.find((file) => file?.path === path)?.config.nodes ?? [];
    return nodes.some(({ name, cert, key }) => {
      const after = config.nodes.find((node) => node.name === name);
      return cert !== undefined && leafPrint(cert, key) !== leafPrint(after?.cert, after?.key);
    });
  });
}

function rootPrints(text: string): string {
  try {
    const prints = parseRoots(text).map((root) => root.fingerprint);
    return prints.sort().join();
  } catch {
    return text;
  }
}

function leafPrint(cert = "", key = ""): string {
  try {
    return parseIdentity(cert, key).leaf.fingerprint;
  } catch {
    return cert;
  }
}
