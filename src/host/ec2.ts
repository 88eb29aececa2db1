import { readFileSync } from "node:fs";

/** DMI fields that EC2's firmware fills in; reading them costs no packet (AWS: "Detect whether a host is an EC2 instance"). */
const DMI_FIELDS = ["sys_vendor", "bios_vendor", "board_vendor"];

/** Whether this host is an EC2 instance, from the firmware alone. `override` is Joblet's installers' `IS_EC2`. */
export function isEc2(override: boolean | undefined): boolean {
  if (override !== undefined) return override;
  if (DMI_FIELDS.some((field) => /^amazon ec2$/i.test(firstLine(`/sys/class/dmi/id/${field}`)))) return true;
  // Xen instances: the hypervisor's UUID and the BIOS version tell.
  return /^ec2/i.test(firstLine("/sys/hypervisor/uuid")) || /amazon/i.test(firstLine("/sys/class/dmi/id/bios_version"));
}

function firstLine(path: string): string {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return "";
  }
}
