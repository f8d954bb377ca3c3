# SPDX-License-Identifier: MIT
"""What kiln serve is asked, case by case."""
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import firmware
from rack import ADDRESS, KILN, PORT, ROOT_BYTES, Rack, ip_of, mac_of, wait_for, write
from tap import Skip, check, same

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
    wait_for("its boot is seen", lambda: (rack.machine(name="n1") or {}).get("stage") == "dhcp")  # by another process


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


# ---- HTTP ----

def files_over_http(world):
    rack = world.rack()
    root = os.urandom(300000)
    place = rack.build(FIRST, root=root)
    os.symlink("/etc/passwd", f"{place}/pxe/leads-away")
    os.symlink("../mini/rootfs.squashfs", f"{place}/pxe/leads-inside")
    with open(f"{rack.out}/rack/.origin-{FIRST}", "w", encoding="utf-8") as stream:
        stream.write("secret")
    rack.serve("--no-dhcp")
    url = "/current/mini/rootfs.squashfs"
    whole = rack.get(url)
    same((whole.status, whole.body == root, whole.headers["Accept-Ranges"]), (200, True, "bytes"), "the whole file")
    tag = whole.headers["ETag"]
    same(tag.strip('"'), hashlib.sha256(root).hexdigest(), "the entity tag is the digest")
    for header, status, part in (("bytes=0-0", 206, root[:1]), ("bytes=100-199", 206, root[100:200]), ("bytes=299999-", 206, root[-1:]),
                                 ("bytes=-10", 206, root[-10:]), ("bytes=0-999999", 206, root), ("bytes=-999999", 206, root),
                                 ("bytes=300000-", 416, b""), ("bytes=-0", 416, b""), ("bytes=9-3", 200, root), ("bytes=a-", 200, root),
                                 ("bytes=0-1,5-6", 200, root), ("lines=0-1", 200, root), ("bytes=99999999999999999999-", 416, b"")):
        reply = rack.get(url, {"Range": header})
        same((reply.status, reply.body == part), (status, True), f"Range: {header}")
        if status == 206:
            check(reply.headers["Content-Range"].endswith(f"/{len(root)}"), reply.headers)
    same(rack.get(url, {"Range": "bytes=1-2", "If-Range": '"other"'}).status, 200, "If-Range of another file")
    same(rack.get(url, {"Range": "bytes=1-2", "If-Range": tag}).status, 206, "If-Range of this file")
    same(rack.get(url, {"If-None-Match": f'"x", {tag}'}).status, 304, "If-None-Match")
    head = rack.request("HEAD", url)
    same((head.status, head.headers["Content-Length"], head.body), (200, "300000", b""), "HEAD")
    for path, status in ((f"//{FIRST}//pxe//boot.ipxe", 200), ("/current/pxe/leads-inside", 200), ("/current/pxe/leads-away", 404),
                         ("/current/../../../etc/passwd", 404), ("/current/%2e%2e/%2e%2e/etc/passwd", 404), ("/current", 404),
                         ("/current/", 404), ("/current/pxe", 404), (f"/.origin-{FIRST}", 404), (f"/{FIRST}/../.origin-{FIRST}", 404),
                         ("/current/pxe/boot.ipxe%00.x", 200), ("/" + "a/" * 3000, 404), ("/0000000000000000/x", 404), ("/..", 404)):
        check(rack.get(path).status in (status, 414, 431), f"{path}: {rack.get(path).status}, not {status}")
    same(rack.get("/current/pxe/ipxe.efi").headers["Content-Type"], "application/efi", "what UEFI asks for")
    same(rack.request("DELETE", url).status, 405, "another method")
    for data in (b"\0" * 100000, b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100000, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"):
        rack.raw(data, 2)
    check(rack.answers(), "it does not answer any more")


def files_by_digest(world):
    """The URL that never means other bytes, as a published tree has it and as a registry does: whole, in ranges, of a build that is not
    current, too; and it moves nobody to the build that its link leads to."""
    rack = world.rack()
    root = os.urandom(100000)
    places = {build: rack.build(build, root=root) for build in (FIRST, "00000000000000b2")}  # the second one is current
    old, digests = f"vmlinuz of {FIRST}\n".encode() * 10, f"{rack.out}/rack/blobs/sha256"
    os.makedirs(digests)
    root_digest, old_digest, absent = hashlib.sha256(root).hexdigest(), hashlib.sha256(old).hexdigest(), "0" * 64
    for digest, target in ((root_digest, f"{FIRST}/mini/rootfs.squashfs"), (old_digest, f"{FIRST}/pxe/images/mini/vmlinuz"),
                           ("1" * 64, f"{FIRST}/pxe/boot.ipxe"), ("2" * 64, "../../../etc/passwd"), ("3" * 64, f".origin-{FIRST}"),
                           ("4" * 64, f"{FIRST}/mini/gone")):
        os.symlink(f"../../{target}", f"{digests}/{digest}")
    os.symlink("/etc/passwd", f"{digests}/{'5' * 64}")
    rack.serve("--no-dhcp")
    for url in (f"/blobs/sha256/{root_digest}", f"/v2/any/name/blobs/sha256:{root_digest}"):
        whole = rack.get(url)
        same((whole.status, whole.body == root, whole.headers["ETag"]), (200, True, f'"{root_digest}"'), url)
        check("immutable" in whole.headers["Cache-Control"], whole.headers)
        part = rack.get(url, {"Range": "bytes=100-199"})
        same((part.status, part.body == root[100:200]), (206, True), f"a range of {url}")
        same(rack.request("HEAD", url).headers["Content-Length"], "100000", "HEAD")
    same(rack.get(f"/blobs/sha256/{old_digest}").body, old, "a file of a build that is not current")
    boot = rack.get("/current/pxe/boot.ipxe").body
    same(boot, f"boot.ipxe of 00000000000000b2\n".encode() * 100, "what this machine is given afterwards")
    for path in (*(f"/blobs/sha256/{digit * 64}" for digit in "012345"), f"/blobs/sha256/{root_digest[:-1]}", f"/blobs/sha256/{root_digest.upper()}",
                 f"/blobs/{root_digest}", f"/v2/blobs/sha256:{root_digest}", f"/v2/a/sha256:{absent}", "/blobs/sha256/", "/v2/_catalog"):
        same(rack.get(path).status, 404, path)
    same((rack.get("/v2/").status, rack.get("/v2/").body), (200, b"{}"), "what a registry's client asks first")
    shutil.rmtree(places[FIRST])
    same(rack.get(f"/blobs/sha256/{old_digest}").status, 404, "of a build that went")
    same(rack.get(f"/blobs/sha256/{root_digest}").body == root, True, "the build that this machine boots has it, too")


def thousands_of_slow_connections(world):
    rack = world.rack()
    rack.build(FIRST, root=os.urandom(4 << 20))
    rack.serve("--no-dhcp")
    before = memory_of(rack.process.pid)
    connections = []
    for _ in range(2000):
        connection = socket.create_connection((ADDRESS, PORT), timeout=20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /current/mini/rootfs.squashfs HTTP/1.1\r\nHost: a\r\nUser-Agent: iPXE\r\n\r\n")
        connections.append(connection)
    same({connection.recv(12) for connection in connections}, {b"HTTP/1.1 200"}, "answers")
    used = memory_of(rack.process.pid)
    print(f"2,000 slow connections: {used} MB, {before} MB without")
    check(used < 64, f"{used} MB for 2,000 slow connections")
    same(rack.get("/current/pxe/boot.ipxe").status, 200, "a quick one beside them")
    for connection in connections:
        connection.close()


def memory_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as stream:
        return int(re.search(r"VmRSS:\s+(\d+)", stream.read()).group(1)) // 1024


# ---- one build for one boot ----

def a_switch_that_booting_machines_do_not_notice(world):
    rack = world.rack(nodes=50)
    ids = [f"{number:016x}" for number in range(0xa1, 0xa6)]
    for build_id in ids:
        rack.build(build_id)
    for index in range(50):
        subprocess.run(["ip", "addr", "add", f"10.0.200.{index + 10}/32", "dev", "lo"], check=True)
    rack.serve("--no-dhcp", "--interface", "srv")
    files = ["pxe/boot.ipxe", "pxe/images/mini/vmlinuz", "pxe/images/mini/initrd.img", "pxe/images/mini/config.cpio"] * 3
    mixed, done = [], []

    def boot(index):
        source, seen = f"10.0.200.{index + 10}", set()
        time.sleep(index / 50)
        for name in files:
            seen |= set(re.findall(r"of ([0-9a-f]{16})", rack.get(f"/current/{name}", source=source).text))
            time.sleep(0.05 + index / 1000)
        (done if len(seen) == 1 else mixed).append((source, seen))
    threads = [threading.Thread(target=boot, args=(index,)) for index in range(50)]
    for thread in threads:
        thread.start()
    for number in range(20):
        rack.publish(ids[number % len(ids)])
        rack.process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    same((mixed, len(done)), ([], 50), "machines with parts of several builds, and with one")
    check(len({next(iter(seen)) for _, seen in done}) > 1, "no switch happened while they booted")
    rack.publish(ids[0])
    rack.process.send_signal(signal.SIGHUP)
    wait_for("the new build", lambda: rack.get("/api/state").json["build"] == ids[0])
    source = next(source for source, seen in done if seen != {ids[0]})
    check(f"of {ids[0]}" not in rack.get("/current/pxe/boot.ipxe", source=source).text, "it is not bound to its build any more")
    rack.request("POST", "/report", json.dumps({"version": 1, "stage": "handover", "mac": [mac_of(1)]}).encode(), source=source)
    check(f"of {ids[0]}" in rack.get("/current/pxe/boot.ipxe", source=source).text, "its next boot does not get what is current")


def who_loads_by_tftp_is_bound_too(world):
    rack, source = world.rack(), "10.0.200.10"
    subprocess.run(["ip", "addr", "add", f"{source}/32", "dev", "lo"], check=True)
    for build_id in (FIRST, SECOND):
        rack.build(build_id)
    rack.publish(FIRST)
    rack.serve("--interface", "srv")
    subprocess.run(["curl", "-sf", "--interface", source, f"tftp://{ADDRESS}/{FIRST}/pxe/images/mini/vmlinuz"], capture_output=True, check=True)
    wait_for("it was seen", lambda: "images/mini/vmlinuz to 10.0.200.10" in rack.log())
    rack.publish(SECOND)
    rack.process.send_signal(signal.SIGHUP)
    wait_for("the new build", lambda: rack.get("/api/state").json["build"] == SECOND)
    check(f"of {FIRST}" in rack.get("/current/pxe/images/mini/initrd.img", source=source).text, "its kernel is of another build than its initrd")
    check(f"of {SECOND}" in rack.get("/current/pxe/images/mini/initrd.img").text, "others do not get what is current")


def a_build_that_is_loaded_is_kept(world):
    rack = world.rack()
    for build_id in (FIRST, SECOND, "00000000000000c3"):
        os.utime(rack.build(build_id), (int(build_id[-2:], 16),) * 2)
    rack.publish(FIRST)
    rack.serve("--no-dhcp")
    rack.get("/current/pxe/boot.ipxe")  # this machine boots FIRST to the end
    rack.publish("00000000000000c3")
    rack.process.send_signal(signal.SIGHUP)
    wait_for("the new build", lambda: rack.get("/api/state").json["build"] == "00000000000000c3")
    done = rack.kiln("builds", "rack", "--out", rack.out, "--prune", "--keep", "1")
    same(done.returncode, 0, done.stderr)
    same(sorted(name for name in os.listdir(f"{rack.out}/rack") if len(name) == 16), [FIRST, "00000000000000c3"], "builds that stay")
    rack.stop()
    rack.kiln("builds", "rack", "--out", rack.out, "--prune", "--keep", "1")
    same(sorted(name for name in os.listdir(f"{rack.out}/rack") if len(name) == 16), ["00000000000000c3"], "builds afterwards")


# ---- boot storms ----

def as_many_roots_at_once_as_the_uplink_feeds(world):
    rack = world.rack()
    rack.build(FIRST, root=os.urandom(ROOT_BYTES // 5))
    rack.serve("--no-dhcp", "--transfers", "2")
    held = []
    for _ in range(2):
        connection = socket.create_connection((ADDRESS, PORT), timeout=20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /current/mini/rootfs.squashfs HTTP/1.1\r\nHost: a\r\n\r\n")
        same(connection.recv(12), b"HTTP/1.1 200", "one of the first two")
        held.append(connection)
    reply = rack.get("/current/mini/rootfs.squashfs", {"User-Agent": "kiln-node"})
    same(reply.status, 503, "the third")
    check(1 <= int(reply.headers["Retry-After"]) <= 30, reply.headers)
    same(rack.get("/current/pxe/boot.ipxe").status, 200, "a small file")
    same(rack.request("HEAD", "/current/mini/rootfs.squashfs").status, 200, "HEAD")
    state = rack.get("/api/state").json
    same((state["transfers"], state["limit"], state["waiting"]), (2, 2, 1), "what the state says")
    same(rack.get("/current/mini/rootfs.squashfs", {"User-Agent": "iPXE/1.21.1"}).status, 200, "a boot loader, which cannot come back")
    held.pop().close()
    wait_for("the one who waits gets in", lambda: rack.get("/current/mini/rootfs.squashfs").status == 200)
    held.pop().close()
    wait_for("no transfer is left", lambda: rack.get("/api/state").json["transfers"] == 0)


# ---- how far each machine is ----

def reports_and_what_they_add_up_to(world):
    rack = world.rack()
    rack.build(FIRST)
    with open(f"{world.base}/token", "w", encoding="utf-8") as stream:
        stream.write("a-token-of-some-length\n")
    os.chmod(f"{world.base}/token", 0o644)
    rack.serve("--no-dhcp", "--token", f"{world.base}/token")
    for stage, more in (("initrd", {}), ("root", {"percent": 40}), ("handover", {}), ("decided", {"text": "n1 (mac table)"}), ("healthy", {})):
        same(rack.report(attempt="one", mac=[mac_of(1)], stage=stage, **more).status, 204, stage)
        same(rack.machine(name="n1")["stage"], stage, "the stage")
    same(rack.report(attempt="one", mac=[mac_of(1)], stage="root", percent=90).status, 204, "a report that comes late")
    same(rack.machine(name="n1")["stage"], "healthy", "the stage after it")
    rack.report(attempt="two", mac=[mac_of(1)], stage="refused", text="two nodes have this address <script>alert(1)</script>\x1b[2J")
    machine = rack.machine(name="n1")
    same((machine["stage"], machine["attempt"], len(machine["attempts"])), ("refused", 2, 2), "the next boot")
    check("\x1b" not in machine["text"] and "<script>" in machine["text"], machine["text"])
    whole = {"format": 1, "cluster": "rack", "role": "mini", "build": FIRST, "refused": None, "hostname": "n2",
             "values": [{"name": "hostname", "value": "n2", "source": "mac table"}]}
    same(rack.request("POST", "/report", json.dumps(whole).encode()).status, 204, "kiln-node's whole report")
    same((rack.machine(name="n2") or {}).get("text"), "n2 (mac table)", "what it says")
    rack.report(attempt="x", mac=["52:54:00:99:99:99"], stage="initrd", role="mini")
    same(rack.machine(mac="52:54:00:99:99:99")["yaml"], '- {name: NAME, role: mini, mac: "52:54:00:99:99:99", ip: 10.0.1.10}', "the line")
    for body in (b"", b"[]", b"{}", b"{", b'{"version":2,"stage":"root"}', b'{"version":1,"stage":"dhcp"}', b'{"version":1,"stage":"root","percent":101}',
                 b'{"version":1,"stage":"root","mac":["zz"]}', b'{"version":1,"stage":7}', b"\xff\xfe", b'{"version":1,"stage":"none"}'):
        same(rack.request("POST", "/report", body).status, 400, body)
    same(rack.request("POST", "/report", b"x" * (5 << 20)).status, 413, "a report of 5 MB")
    metrics = rack.get("/metrics").text
    check('kiln_nodes{stage="refused"} 1' in metrics and "kiln_unknown_machines 1" in metrics, metrics)
    same(rack.request("POST", "/api/forget?mac=52:54:00:99:99:99", b"").status, 403, "without the token")
    same(rack.request("POST", "/api/forget?mac=52:54:00:99:99:99", b"", {"Authorization": "Bearer a-token-of-some-length"}).status, 200, "with it")
    same(rack.machine(mac="52:54:00:99:99:99"), None, "what was forgotten")
    same(rack.request("POST", "/api/forget?mac=" + mac_of(1), b"", {"Authorization": "Bearer a-token-of-some-length"}).status, 404, "a known one")
    for index in range(1500):  # more than are kept
        rack.report(mac=[f"52:54:01:00:{index >> 8:02x}:{index & 255:02x}"], stage="initrd")
    same(rack.get("/api/state").json["count"], 10 + 1024, "known and unknown machines")


def events_as_they_happen(world):
    rack = world.rack()
    rack.build(FIRST)
    rack.serve("--no-dhcp")
    with socket.create_connection((ADDRESS, PORT), timeout=10) as stream:
        stream.sendall(b"GET /api/events HTTP/1.1\r\nHost: a\r\n\r\n")
        got = b""
        while b'"n9"' not in got:
            got += stream.recv(65536)
        rack.report(attempt="one", mac=[mac_of(3)], stage="handover")
        got = b""
        while b"handover" not in got:
            got += stream.recv(65536)
        check(b'"n3"' in got and b'"n4"' not in got, got)
        same(rack.stop(), 0, "the end while somebody watches")


def a_journal_that_survives(world):
    rack = world.rack(nodes=100)
    rack.build(FIRST)
    told = {}
    for turn in range(12):
        rack.serve("--no-dhcp")
        for name, attempt in told.items():
            machine = rack.machine(name=name)
            same(machine and machine["attempts"][0]["text"], attempt, f"{name} after kill -9 number {turn}")
        for index in random.sample(range(100), 30):
            text = f"turn {turn}"
            if rack.report(attempt=f"t{turn}", mac=[mac_of(index)], stage="decided", text=text).status == 204:
                told[f"n{index}"] = text
        rack.stop(signal.SIGKILL)
        with open(f"{rack.state}/journal", "ab") as stream:
            stream.write(random.choice([b"", b'{"t":1,"sta', b"\0\0\0\0", b'{"t":1}\nrubbish\n', b'{"t":17,"stage":"decided"']))
    second = Rack(f"{world.base}/second")
    rack.serve("--no-dhcp")
    second.build(FIRST)
    second.state = rack.state
    done = second.kiln("serve", second.cluster, "--out", second.out, "--state", rack.state, "--no-dhcp", "--no-tftp", "--http-port", "8081")
    same(done.returncode, 34, f"another one with the same state: {done.stderr}")
    check(os.listdir(f"{rack.state}/tftp"), "the other one took away what this one serves")


def a_restart_of_a_large_rack(world):
    """More machines than strangers are kept: none of the inventory is taken for one while the journal is read."""
    rack = world.rack(nodes=1500)
    rack.build(FIRST)
    rack.serve("--no-dhcp", "--no-tftp")
    for index in range(1500):
        same(rack.report(attempt="a", mac=[mac_of(index)], stage="decided", text="told").status, 204, f"report of n{index}")
    rack.stop(signal.SIGKILL)
    for turn in range(2):  # the second time it is read as the first one wrote it
        rack.serve("--no-dhcp", "--no-tftp")
        lost = [machine["name"] for machine in rack.get("/api/state").json["machines"] if machine["stage"] != "decided"]
        same(lost, [], f"nodes whose state is lost after restart {turn}")
        rack.stop()


def a_directory_of_somebody_else(world):
    rack = world.rack()
    rack.build(FIRST)
    for name in ("tftp/pxelinux.0", "www/index.html"):
        write(f"{rack.state}/{name}", "mine\n")
    before = os.stat(rack.state).st_uid, os.stat(f"{rack.state}/tftp").st_uid
    done = rack.kiln("serve", rack.cluster, "--out", rack.out, "--state", rack.state, "--no-dhcp", "--no-tftp")
    check(done.returncode == 12 and "--state" in done.stderr, done.stderr)
    check(os.path.exists(f"{rack.state}/tftp/pxelinux.0"), "a file of somebody else was removed")
    same((os.stat(rack.state).st_uid, os.stat(f"{rack.state}/tftp").st_uid), before, "owners")


# ---- many ----

def two_thousand_nodes(world):
    rack, card = world.rack(nodes=2000), firmware.Card("cli")
    rack.build(FIRST)
    started = time.monotonic()
    rack.serve(wait=False)
    answer = None
    while not answer and time.monotonic() - started < 20:
        answer = card.discover(mac_of(1999), firmware.client(0), seconds=0.2)
    print(f"2,000 nodes: first DHCP answer {time.monotonic() - started:.2f} s after the start, {memory_of(rack.process.pid)} MB")
    same(answer and answer["ip"], ip_of(1999), "the last node's address")
    wait_for("it answers", rack.answers)
    same(len(rack.get("/api/state").json["machines"]), 2000, "machines in the state")


# ---- who may ----

def what_a_plain_user_can(world):
    rack = world.rack()
    rack.build(FIRST)
    if os.getuid() != 0 or subprocess.run(["setpriv", "--reuid=65534", "true"], check=False).returncode:
        raise Skip("needs a second user")
    os.makedirs(rack.state)
    os.chown(rack.state, 65534, 65534)
    common = ("serve", rack.cluster, "--out", rack.out, "--state", rack.state)
    done = rack.kiln(*common, user=65534)
    same(done.returncode, 32, done.stderr)
    check("capabilities" in done.stderr, done.stderr)
    done = rack.kiln(*common, "--no-dhcp", "--no-tftp", "--http-port", "80", user=65534)
    check(done.returncode == 31 and "--http-port" in done.stderr or "0" == open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read().strip(), done.stderr)
    rack.process = subprocess.Popen(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", KILN, *common,
                                     "--no-dhcp", "--no-tftp"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("HTTP alone", rack.answers)


def mistakes_are_told(world):
    rack = world.rack()
    for options, status, said in ((("--listen", "10.9.9.9"), 12, "no such address"), (("--listen", "x"), 2, "an IPv4 address"),
                                  (("--interface", "eth77"), 12, "no such interface"), (("--uplink", "fast"), 2, "bits a second"),
                                  (("--proxy", "--no-dhcp"), 2, "contradict"), (("--http-port", "70000"), 2, "at most 65535"),
                                  (("--user", "nobody-has-this-name"), 12, "no such user")):
        if options[0] in ("--uplink", "--user"):
            rack.build(FIRST)
        done = rack.kiln("serve", rack.cluster, "--out", rack.out, "--state", rack.state, *options)
        check(done.returncode == status and said in done.stderr, f"{options}: {done.returncode}\n{done.stderr}")
    rack.publish("none")
    done = rack.kiln("serve", rack.cluster, "--out", rack.out)
    check(done.returncode == 12 and "names no build" in done.stderr, done.stderr)
    rack.publish(FIRST)
    with socket.create_server((ADDRESS, PORT)):
        done = rack.kiln("serve", rack.cluster, "--out", rack.out, "--state", rack.state)
        check(done.returncode == 31 and "--http-port" in done.stderr, done.stderr)


CASES += [files_over_http, files_by_digest, thousands_of_slow_connections, a_switch_that_booting_machines_do_not_notice, who_loads_by_tftp_is_bound_too, a_build_that_is_loaded_is_kept,
          as_many_roots_at_once_as_the_uplink_feeds, reports_and_what_they_add_up_to, events_as_they_happen, a_journal_that_survives, a_restart_of_a_large_rack,
          a_directory_of_somebody_else, two_thousand_nodes, what_a_plain_user_can, mistakes_are_told]


@contextlib.contextmanager
def another_dhcp_server(world):
    """10.0.77.1, which gives 10.0.77.10 to 20 to whoever asks, on a bridge with this machine and the cable."""
    for words in ("link add br0 type bridge", "link set br0 up", "addr del 10.0.0.1/16 dev srv", "addr add 10.0.0.1/16 dev br0",
                  "link set srv master br0", "link add oth type veth peer name oth0", "link set oth0 master br0", "link set oth0 up"):
        subprocess.run(["ip", *words.split()], check=True)
    pause = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    wait_for("its namespace", lambda: os.readlink(f"/proc/{pause.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
    subprocess.run(["ip", "link", "set", "oth", "netns", str(pause.pid)], check=True)
    inside = ["nsenter", f"--net=/proc/{pause.pid}/ns/net"]
    for words in ("addr add 10.0.77.1/16 dev oth", "link set oth up"):
        subprocess.run([*inside, "ip", *words.split()], check=True)
    other = subprocess.Popen([*inside, "dnsmasq", "-k", "-p", "0", "--conf-file=/dev/null", "--interface=oth", "--bind-interfaces", "--user=root",
                              "--dhcp-range=10.0.77.10,10.0.77.20", f"--dhcp-leasefile={world.base}/other", "--no-ping", "--pid-file="])
    try:
        yield
    finally:
        other.kill()
        pause.kill()


def what_is_wrong_is_told_before(world):
    rack = world.rack()
    place = rack.build(FIRST, root=os.urandom(1000000))
    common = ("serve", rack.cluster, "--out", rack.out, "--state", rack.state, "--check", "--uplink", "1M")
    done = rack.kiln(*common)
    same(done.returncode, 0, done.stdout + done.stderr)
    for said in ("10.0.0.1 (srv) is in network lan", "port 67 is free", "port 69 is free", "port 8080 is free", "no other DHCP server",
                 "files are what was published", "10 nodes load 0.0 GB: 1.3 minutes at 1 Mbit/s"):
        check(said in done.stdout, f"no {said} in\n{done.stdout}")
    check(not os.path.exists(rack.state), "a check writes something")
    with another_dhcp_server(world):
        with open(f"{place}/pxe/boot.ipxe", "a", encoding="utf-8") as stream:
            stream.write("x")
        with socket.create_server((ADDRESS, PORT)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind((ADDRESS, 69))
            done = wait_for("both", lambda: (lambda tried: tried if "10.0.77.1 is a DHCP server" in tried.stdout else None)(rack.kiln(*common)))
        same(done.returncode, 14, done.stderr)
        for said in ("FAULT  port 69", "FAULT  port 8080", "pxe/boot.ipxe is not what was published"):
            check(said in done.stdout, f"no {said} in\n{done.stdout}")
        done = rack.kiln(*common, "--proxy")
        check("10.0.77.1 gives the addresses" in done.stdout, done.stdout)


def a_proxy_beside_the_server_that_gives_addresses(world):
    rack, card = world.rack(), firmware.Card("cli")
    rack.build(FIRST)
    with another_dhcp_server(world):
        wait_for("the other one gives addresses", lambda: card.offers(mac_of(1), firmware.client(0), 0.5))
        rack.serve("--proxy")
        offers = {offer[54]: offer for offer in card.offers(mac_of(1), firmware.client(0))}
        same(set(offers), {socket.inet_aton("10.0.77.1"), socket.inet_aton(ADDRESS)}, "who answers firmware")
        theirs, ours = offers[socket.inet_aton("10.0.77.1")], offers[socket.inet_aton(ADDRESS)]
        check(theirs["ip"].startswith("10.0.77.") and not boot_file(theirs), f"the other one's offer: {theirs}")
        same(ours["ip"], "0.0.0.0", "an address is theirs to give")
        check(b"kiln" in ours.get(43, b""), f"no service is offered: {ours}")
        lease = card.lease(mac_of(1), firmware.client(0))
        check(lease and lease["ip"].startswith("10.0.77."), f"the lease: {lease}")
        asked = [socket.inet_ntoa(offer[54]) for offer in card.offers(mac_of(2), firmware.option(60, b"no firmware at all"), 1)]
        same(asked, ["10.0.77.1"], "who answers an operating system")
        seen = lambda: (rack.machine(name="n1") or {}).get("stage") == "dhcp" and rack.machine(name="n1")  # noqa: E731
        same(wait_for("its boot is seen", seen)["firmware"], "BIOS", "what is known of it")
        rack.stop()


CASES += [what_is_wrong_is_told_before, a_proxy_beside_the_server_that_gives_addresses]
