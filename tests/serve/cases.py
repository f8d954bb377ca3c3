# SPDX-License-Identifier: MIT
"""What kiln serve is asked, case by case."""
import http.client
import os
import re
import signal
import socket
import subprocess
import time

import firmware
from rack import ADDRESS, PORT, Rack, ip_of, mac_of, wait_for
from tap import check, same

FIRST, SECOND = "00000000000000a1", "00000000000000b2"


class World:
    def __init__(self, base):
        self.base, self.racks = base, []

    def rack(self, **options):
        rack = Rack(f"{self.base}/{len(self.racks)}", **options)
        self.racks.append(rack)
        return rack

    def close(self):
        for rack in self.racks:
            rack.stop(signal.SIGKILL)

    def logs(self):
        return "".join(f"{rack.log_path}:\n{rack.log()[-3000:]}\n" for rack in self.racks if os.path.exists(rack.log_path))


def boot_file(answer):
    return answer.get(67, b"").rstrip(b"\0").decode() or answer["file"]


# ---- DHCP and TFTP ----

def each_firmware_gets_its_loader(world):
    rack, card = world.rack(), firmware.Card("cli")
    rack.build(FIRST)
    rack.serve()
    url = f"http://{ADDRESS}:{PORT}/{FIRST}/pxe"
    for arch, name, ipxe, expected in ((0, "PXEClient", False, f"{FIRST}/pxe/undionly.kpxe"), (6, "PXEClient", False, ""),
                                       (7, "PXEClient", False, f"{FIRST}/pxe/ipxe.efi"),
                                       (9, "PXEClient", False, f"{FIRST}/pxe/ipxe.efi"),
                                       (16, "HTTPClient", False, f"{url}/ipxe.efi"), (0, "PXEClient", True, f"{url}/boot.ipxe"),
                                       (7, "PXEClient", True, f"{url}/boot.ipxe")):
        answer = card.lease(mac_of(3), firmware.client(arch, name, ipxe))
        check(answer, f"architecture {arch} has no answer")
        same((answer["ip"], boot_file(answer)), (ip_of(3), expected), f"architecture {arch}, {name}, iPXE {ipxe}")
        same((answer[12], answer[3], answer[6]), (b"n3", socket.inet_aton("10.0.0.254"), socket.inet_aton("10.0.0.253")), "options")
        if name == "HTTPClient":
            same(answer.get(60), b"HTTPClient", "the vendor class that UEFI looks for")
    got = subprocess.run(["curl", "-sf", f"tftp://{ADDRESS}/{FIRST}/pxe/undionly.kpxe"], capture_output=True, text=True, check=True)
    check(got.stdout.startswith(f"undionly.kpxe of {FIRST}"), "TFTP sends something else")
    check(card.discover("52:54:00:ff:ff:ff", firmware.client(0), seconds=2) is None, "a machine that nobody knows gets an address")
    unknown = wait_for("the unknown machine is listed", lambda: rack.machine(mac="52:54:00:ff:ff:ff"))
    same((unknown["known"], unknown["firmware"]), (False, "BIOS"), "the unknown machine")
    same(unknown["yaml"], '- {name: NAME, role: ROLE, mac: "52:54:00:ff:ff:ff", ip: 10.0.1.10}', "the line to paste")


def the_best_loader_of_what_the_build_has(world):
    for loaders, arch, expected in ((("pxelinux.0",), 0, "pxelinux.0"), (("shimx64.efi", "grubx64.efi", "ipxe.efi"), 7, "shimx64.efi"),
                                    (("grubx64.efi",), 7, "grubx64.efi"), (("pxelinux.0",), 7, None)):
        rack = world.rack()
        rack.build(FIRST, loaders=loaders)
        text = rack.kiln("serve", rack.cluster, "--out", rack.out, "--print-config").stdout
        tag = {0: "bios", 7: "efi64"}[arch]
        line = f"dhcp-boot=tag:!ipxe,tag:{tag},{FIRST}/pxe/{expected},,{ADDRESS}\n" if expected else f"# {tag}: the build has no loader"
        check(line in text, f"no {line} in\n{text}")


def hostile_dhcp_is_ignored(world):
    rack, card = world.rack(), firmware.Card("cli")
    rack.build(FIRST)
    rack.serve()
    bad = [firmware.option(77, b""), firmware.option(77, b"\xff" * 200), firmware.option(77, b"iPX"), firmware.option(93, b""),
           firmware.option(93, b"\0"), firmware.option(93, b"\0\0\0\0\0"), firmware.option(97, b""), firmware.option(97, b"\x07abc"),
           firmware.option(175, b""), firmware.option(175, b"\xff\xff"), b"\x4d\xc8ab", firmware.option(12, b"\x1b[2J\n\"<b>"),
           firmware.option(60, b"PXEClient:Arch:99999999:\n DHCPACK(srv) 10.0.0.9 52:54:00:00:00:09")]
    for more in bad:
        card.lease(mac_of(1), firmware.vendor(0) + more, seconds=0.3)
        card.lease(mac_of(2), more, seconds=0.3)
    answer = card.lease(mac_of(4), firmware.client(0))
    same(answer and answer["ip"], ip_of(4), "a good machine after all that")
    same(rack.machine(name="n9")["stage"], "none", "a machine that only another one's option speaks of")


def beside_another_server(world):
    rack, card = world.rack(), firmware.Card("cli")
    rack.build(FIRST)
    rack.serve("--proxy")
    answer = card.discover(mac_of(1), firmware.client(0))
    check(answer, "no answer")
    same((answer["ip"], answer.get(60)), ("0.0.0.0", b"PXEClient"), "an offer of a proxy has no address")
    check(b"kiln" in answer.get(43, b""), f"no service is offered: {answer}")
    answer = card.discover(mac_of(1), firmware.client(16, "HTTPClient"))
    check(answer and "ipxe.efi" in boot_file(answer), f"UEFI HTTP boot: {answer}")
    answer = card.discover(mac_of(1), firmware.client(7, ipxe=True))
    check(answer and boot_file(answer).endswith("/pxe/boot.ipxe"), f"iPXE: {answer}")
    same(wait_for("its boot is seen", lambda: rack.machine(name="n1"))["stage"], "dhcp", "stage")


def the_printed_configuration_is_taken(world):
    rack = world.rack()
    rack.build(FIRST)
    for options in ((), ("--proxy",), ("--no-dhcp",)):
        done = rack.kiln("serve", rack.cluster, "--out", rack.out, "--print-config", *options)
        same(done.returncode, 0, done.stderr)
        with open(f"{world.base}/printed.conf", "w", encoding="utf-8") as stream:
            stream.write(done.stdout)
        taken = subprocess.run(["dnsmasq", "--test", f"--conf-file={world.base}/printed.conf"], capture_output=True, text=True, check=False)
        check("OK" in taken.stderr, taken.stderr)
    check(not os.path.exists(rack.state), "printing writes something")


# ---- changes while it runs ----

def a_changed_inventory_is_taken(world):
    rack, card = world.rack(), firmware.Card("cli")
    rack.build(FIRST)
    rack.serve()
    check(card.discover(mac_of(77), firmware.client(0), seconds=1) is None, "it is known already")
    pid = rack.process.pid
    rack.write_inventory([f'  - {{name: late, role: mini, mac: "{mac_of(77)}", ip: 10.0.9.9}}'])
    wait_for("the new node is in the state", lambda: rack.machine(name="late"))
    answer = wait_for("it gets its address", lambda: card.lease(mac_of(77), firmware.client(0), seconds=1))
    same(answer["ip"], "10.0.9.9", "the new node's address")
    rack.write_inventory(["  - {name: broken"])
    wait_for("the mistake is told", lambda: "the inventory stays as it was" in rack.log())
    same(card.lease(mac_of(77), firmware.client(0))["ip"], "10.0.9.9", "the address after a mistake")
    rack.write_inventory()
    rack.process.send_signal(signal.SIGHUP)
    wait_for("the node is unknown again", lambda: not rack.machine(mac=mac_of(77))["known"])
    same((rack.process.poll(), rack.process.pid), (None, pid), "the process")


def it_ends_with_all_that_it_started(world):
    rack = world.rack()
    rack.build(FIRST)

    def children():
        return subprocess.run(["pgrep", "-x", "-r", "R,S,D", "dnsmasq"], capture_output=True, text=True, check=False).stdout.split()
    for number, status in ((signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -9)):
        rack.serve()
        same(len(children()), 2, "servers of dnsmasq")
        same(rack.stop(number), status, f"exit status after signal {number}")
        wait_for(f"dnsmasq ends after signal {number}", lambda: not children())
    rack.serve()
    os.kill(int(children()[0]), signal.SIGKILL)
    same(rack.process.wait(10), 32, "exit status when dnsmasq ends")


CASES = [each_firmware_gets_its_loader, the_best_loader_of_what_the_build_has, hostile_dhcp_is_ignored, beside_another_server,
         the_printed_configuration_is_taken, a_changed_inventory_is_taken, it_ends_with_all_that_it_started]
