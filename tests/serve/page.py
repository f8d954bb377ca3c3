# SPDX-License-Identifier: MIT
"""What the page shows, in real Chromium, and what lies beneath it: virtual addresses, the difference of two builds."""
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import threading

import firmware
from rack import ADDRESS, PORT, ip_of, mac_of, wait_for, write
from tap import Skip, check, same

FIRST, SECOND = "00000000000000a1", "00000000000000b2"
REFUSAL = {"format": 1, "cluster": "rack", "role": "mini", "build": FIRST, "refused": "no match in the inventory", "hostname": "", "values": [],
           "found": "eth0 52:54:00:00:00:06, serial 0815", "notes": ["DHCP named nobody"], "network": {"problem": None, "repairs": 0}}


class Owners:
    """Machines on the cable that answer ARP for an address: cards by their MACs."""

    def __init__(self, ip, *macs):
        self.ip, self.macs, self.running = ip, macs, True
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        self.socket.bind(("cli", 0x0806))
        self.socket.settimeout(0.2)
        self.thread = threading.Thread(target=self.answer)
        self.thread.start()

    def answer(self):
        while self.running:
            try:
                frame = self.socket.recv(128)
            except socket.timeout:
                continue
            if frame[20:22] != b"\0\1" or frame[38:42] != socket.inet_aton(self.ip):
                continue
            for mac in self.macs:
                card = firmware.mac_bytes(mac)
                self.socket.send(frame[6:12] + card + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + card + frame[38:42] + frame[22:32])

    def stop(self):
        self.running = False
        self.thread.join()
        self.socket.close()


def owners_of(rack):
    vip = rack.get("/api/state").json["vips"][0]
    return "asked" in vip and [owner.get("node", owner["mac"]) for owner in vip["owners"]]


def who_has_the_virtual_address(world):
    rack = world.rack(vip="10.0.200.90")
    rack.build(FIRST)
    rack.serve("--no-dhcp", "--no-tftp")
    wait_for("nobody has it", lambda: owners_of(rack) == [])
    for macs, names in (((mac_of(3),), ["n3"]), ((mac_of(4), mac_of(3)), ["n3", "n4"]), (("00:00:5e:00:01:07",), ["00:00:5e:00:01:07"])):
        owners = Owners("10.0.200.90", *macs)
        try:
            wait_for(f"{names} have it", lambda: owners_of(rack) == names)  # pylint: disable=cell-var-from-loop
        finally:
            owners.stop()
    wait_for("nobody has it any more", lambda: owners_of(rack) == [])
    same(rack.stop(), 0, "the end")


def what_a_build_changes(world):
    rack = world.rack()
    first = rack.build(FIRST)
    rack.serve("--no-dhcp", "--no-tftp")
    alone = rack.get("/api/diff").json
    same((alone["to"], alone["from"]), (FIRST, None), "the only build")
    second = rack.build(SECOND, current=False)
    for place, build_id, version in ((first, FIRST, "1.0-1"), (second, SECOND, "1.1-1")):
        package = {"name": "httpd", "arch": "x86_64", "nevra": f"httpd-{version}.x86_64", "sha256": version * 10, "repository": "base"}
        role = {"configuration": [], "files": [], "packages": [package], "root": {"sha256": build_id * 4, "size": 3},
                "kernel": {"arguments": ["quiet"], "image": "boot/vmlinuz", "version": "3.10"}}
        write(f"{place}/manifest.json", json.dumps({"artefacts": [], "build": build_id, "cluster": "rack", "format": 1, "release": "lab",
                                                   "options": {}, "signed_by": None, "source_date_epoch": 1, "roles": {"mini": role}}))
        os.remove(f"{place}/mini/rootfs.squashfs")  # no image to look for accounts in
        os.utime(place, (int(build_id[-2:], 16),) * 2)
    rack.publish(SECOND)
    diff = wait_for("the new build", lambda: (lambda found: found if found["to"] == SECOND else None)(rack.get("/api/diff").json))
    check("text" in diff, diff)
    same((diff["from"], "1.0-1" in diff["text"] and "1.1-1" in diff["text"]), (FIRST, True), f"what changed: {diff}")


def what_a_refused_node_said(world):
    rack = world.rack()
    rack.build(FIRST)
    subprocess.run(["ip", "addr", "add", f"{ip_of(6)}/32", "dev", "lo"], check=True)
    rack.serve("--no-dhcp", "--no-tftp", "--interface", "srv")
    for turn in range(2):
        if turn == 0:
            same(rack.request("POST", "/report", json.dumps(REFUSAL).encode(), source=ip_of(6)).status, 204, "its report")
        attempt = rack.machine(name="n6")["attempts"][0]
        same((attempt["stage"], attempt["text"]), ("refused", REFUSAL["refused"]), "the stage")
        same(attempt["console"], "no match in the inventory\nthis machine has: eth0 52:54:00:00:00:06, serial 0815\nnote: DHCP named nobody\n",
             "what it said")
        rack.stop()
        rack.serve("--no-dhcp", "--no-tftp", "--interface", "srv")  # from the journal


def browse(world, url, *options):
    browser = shutil.which("chromium")
    if not browser:
        raise Skip("there is no chromium")
    return subprocess.run([browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={world.base}/chromium", *options, url],
                          capture_output=True, text=True, timeout=100, check=False).stdout


def the_page_in_a_browser(world):
    rack = world.rack(nodes=2000, vip="10.0.200.90")
    rack.build(FIRST)
    rack.serve("--no-dhcp")
    rack.report(attempt="a", mac=[mac_of(7)], stage="refused", text="<img src=x onerror=document.title='stolen'>")
    rack.report(attempt="a", mac=[mac_of(8)], stage="root", percent=40)
    rack.report(attempt="a", mac=["52:54:00:99:99:99"], stage="initrd")
    owners = Owners("10.0.200.90", mac_of(3), mac_of(4))
    try:
        wait_for("two have the virtual address", lambda: owners_of(rack) == ["n3", "n4"])
        page = browse(world, f"http://{ADDRESS}:{PORT}/?once", "--virtual-time-budget=5000", "--dump-dom")
    finally:
        owners.stop()
    check('data-ready="yes"' in page, f"the page shows nothing:\n{page[-1500:]}")
    same(len(re.findall(r"<b>n\d+</b>", page)), 2000, "nodes on the page")
    check("2000 nodes" in page and "root 40 %" in page and "✗ refused" in page, "stages are not in words")
    check("⚠ 2 machines have it: n3, n4" in page, "who has the virtual address is not in words")
    check("&lt;img src=x" in page and "<title>rack</title>" in page, "a text of a machine became a part of the page")
    check("{name: NAME, role: ROLE, mac: \"52:54:00:99:99:99\"" in page, "no line to paste")


def the_report_of_a_build(world):
    rack = world.rack()
    place = rack.build(FIRST)
    rack.serve("--no-dhcp", "--no-tftp")
    answer = rack.get("/report.html")
    check(answer.status == 404 and b"kiln builds --report" in answer.body, f"without a page: {answer.status} {answer.body}")
    path = f"{os.path.dirname(place)}/report-{FIRST}.html"
    os.symlink("/etc/passwd", path)
    same(rack.get("/report.html").status, 404, "a link")
    os.unlink(path)
    os.mkfifo(path)
    same(rack.get("/report.html").status, 404, "a pipe")
    os.unlink(path)
    write(path, "<!doctype html><title>a report</title>")
    answer = rack.get("/report.html")
    same((answer.status, answer.body), (200, b"<!doctype html><title>a report</title>"), "the page")
    check("default-src 'none'" in answer.headers["Content-Security-Policy"], "its policy")
    check(answer.headers["Content-Type"].startswith("text/html"), "its type")
    same(rack.request("HEAD", "/report.html").status, 200, "HEAD")
    check('href="/report.html"' in rack.get("/").body.decode(), "the rack's page does not lead to it")


CASES = [the_report_of_a_build, who_has_the_virtual_address, what_a_build_changes, what_a_refused_node_said, the_page_in_a_browser]
