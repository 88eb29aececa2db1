import { readFileSync } from "node:fs";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

/** Bridges and virtual links of container engines: their addresses are alike on many hosts and mean nothing outside. */
const CONTAINER_LINKS = /^(?:docker|joblet|veth|br-|cni|cbr|flannel|cali|virbr|lxc|lxd|podman|kube-)/;

export interface HostAddress {
  link: string;
  family: 4 | 6;
  address: string;
}

/** This host's own addresses that another machine could reach: no loopback, link-local or container addresses. */
export function hostAddresses(): HostAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([link, infos]) =>
    CONTAINER_LINKS.test(link) ? [] : (infos ?? []).filter(isReachable).map((info) => fromInfo(link, info)),
  );
}

/** The address that clients most likely dial: that of the link with the default route, IPv4 first. */
export function primaryAddress(addresses: readonly HostAddress[]): string | undefined {
  const links = [...defaultRouteLinks("/proc/net/route", 0, 1), ...defaultRouteLinks("/proc/net/ipv6_route", 9, 0)];
  for (const link of links) {
    const found = addresses.find((address) => address.link === link && address.family === 4);
    if (found) return found.address;
  }
  const onRoute = addresses.find((address) => links.includes(address.link));
  return (onRoute ?? addresses.find((address) => address.family === 4) ?? addresses[0])?.address;
}

/** Links of default routes: the destination column is all zeros. Empty where the kernel shows no table. */
function defaultRouteLinks(table: string, linkColumn: number, destinationColumn: number): string[] {
  let text: string;
  try {
    text = readFileSync(table, "latin1");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const link = columns[linkColumn];
    // The IPv6 table also lists the unreachable default on `lo`.
    return /^0+$/.test(columns[destinationColumn] ?? "") && link && link !== "lo" ? [link] : [];
  });
}

function isReachable(info: NetworkInterfaceInfo): boolean {
  if (info.internal) return false;
  const { address } = info;
  return info.family === "IPv4" ? !address.startsWith("169.254.") : !/^fe[89ab]/i.test(address);
}

function fromInfo(link: string, info: NetworkInterfaceInfo): HostAddress {
  return { link, family: info.family === "IPv4" ? 4 : 6, address: info.address };
}
