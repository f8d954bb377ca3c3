# SPDX-License-Identifier: MIT
"""What is booted, how, and what must be true then. Each scenario is a function of the Lan and the Tap."""
import http.server
import io
import json
import os
import re
import tarfile
import threading

from checks import PATIENCE_S, four_letters, http as get, http_json
from environment import HOST, NODES, SECRETS, Unusable, can_connect, config_drive, wait_until
from tap import note

ENSEMBLE = "192.168.2.71:2181,192.168.2.72:2181,192.168.2.73:2181"
MESOS_ZK = f"zk://{ENSEMBLE}/mesos"
VIP = "192.168.2.90"
STRANGE_MAC = "52:54:00:99:00:01"
BOOT_S = 1200  # firmware, loading, kernel, services: 110 s where nothing else runs, ten times that on a busy machine


# ---- what every node must be ----

def tell_times(tap, node):
    """How long the kernel took to switch_root: a remark, never a verdict."""
    match = node.expect(r"handing over at ([0-9.]+) s", 0)
    if match:
        note(f"{node.name}: switch_root {match.group(1)} s after the kernel's start")


def check_identity(tap, node, ip=None):
    tap.command(node, "hostname", lambda text: text == node.name, f"{node.name}: its host name")
    tap.command(node, "cat /etc/hostname", lambda text: text == node.name, f"{node.name}: /etc/hostname")
    tap.command(node, "ip -4 -o address show scope global", lambda text: f" {ip or node.ip}/24 " in text,
                f"{node.name}: its address")
    tap.command(node, "getent hosts master103 web", lambda text: "192.168.2.73" in text and VIP in text,
                f"{node.name}: /etc/hosts knows the cluster")
    tap.command(node, "findmnt -n -o FSTYPE /", lambda text: text == "overlay", f"{node.name}: the root is an overlay")


def check_no_failures(tap, node):
    tap.command(node, "systemctl is-system-running --wait >/dev/null; systemctl --failed --no-legend --plain",
                lambda text: text == "", f"{node.name}: no unit failed", seconds=60)


def check_units(tap, node, active, off):
    for unit in active:
        tap.command(node, f"systemctl is-active {unit}", lambda text: text == "active", f"{node.name}: {unit} runs")
    for unit in off:
        status, text = node.ssh(f"systemctl is-enabled {unit}; systemctl is-active {unit}")
        tap.ok("enabled" not in text.split() and text.split()[-1:] in (["inactive"], ["unknown"]), f"{node.name}: {unit} is off",
               f"{status} {text}")


# ---- what its own rpm says ----

ACCOUNTS = {"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"}
VERIFY_S = 1200  # it reads and digests every file, emulated


def check_packages(tap, lan, node, role):
    """The node's rpm knows the packages of the manifest, and misses nothing but what configuration and kiln-node did."""
    with open(os.path.join(lan.artefacts, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)["roles"][role]
    rpm = "rpm --dbpath /var/lib/rpm"
    status, text = node.ssh(rpm + r" -qa --qf '%{nevra}\n'")
    tap.same((status, sorted(text.split())), (0, sorted(each["nevra"] for each in manifest["packages"])),
             f"{node.name}: its rpm -qa is the manifest's list of packages")
    status, text = node.ssh("cat /run/kiln/report.json")
    report = json.loads(text) if status == 0 else {"files": [], "removes": []}
    known = ACCOUNTS | {each["path"] for each in manifest["configuration"]}
    known |= {each["path"] for each in report["files"]} | set(report["removes"])
    status, text = node.ssh(rpm + " -Va", seconds=VERIFY_S)
    tap.ok(status in (0, 1) and "/etc/hosts" in known, f"{node.name}: its rpm -Va works", f"{status} {text}")
    tap.same([line for line in text.splitlines() if line.split()[-1] not in known], [],
             f"{node.name}: its rpm -Va finds what was configured, and nothing else")


def check_report(tap, lan, node, ip, judge, name):
    """What the node sent to report_url last, at the second time: a machine that was refused reports again when it is not."""
    tap.holds(lambda: [report for client, report in lan.reports if client == ip],
              lambda reports: reports[-1]["format"] == 1 and reports[-1]["boot"]["initrd_ms"] > 0 and
              reports[-1]["versions"]["kernel"] and judge(reports[-1]), name)


# ---- masters ----

def start_masters(lan, tap):
    """Two of the three, which is a quorum; they stay up for the scenarios that need a cluster. Once in a run."""
    if "master101" in lan.nodes:
        if not lan.has_masters:
            raise Unusable("the masters did not come up earlier")
        return
    for name in ("master101", "master102"):
        lan.boot(name, memory=2048)
    for name in ("master101", "master102"):
        lan.nodes[name].wait_for_ssh(BOOT_S)
        tell_times(tap, lan.nodes[name])
    lan.has_masters = True


def master(lan, tap):
    """master101 and master102 by iPXE over HTTP; the MAC table says who they are."""
    start_masters(lan, tap)
    for name, myid in (("master101", "1"), ("master102", "2")):
        node = lan.nodes[name]
        check_identity(tap, node)
        tap.command(node, "cat /var/lib/zookeeper/myid", lambda text, myid=myid: text == myid, f"{name}: myid")
        tap.holds(lambda node=node: four_letters(node.ip, "srvr"),
                  lambda text: re.search(r"^Mode: (leader|follower)$", text, re.M), f"{name}: ZooKeeper has a quorum")
        check_mesos_master(tap, node)
        check_marathon(tap, node)
        check_units(tap, node, ["zookeeper", "mesos-master", "marathon"], ["mesos-slave"])
        check_no_failures(tap, node)
    leaders = lambda: {http_json(f"http://{NODES[name][1]}:5050/master/state.json").get("leader")  # noqa: E731
                       for name in ("master101", "master102")}
    tap.holds(leaders, lambda found: len(found) == 1 and found.pop() in
              ("master@192.168.2.71:5050", "master@192.168.2.72:5050"), "the Mesos masters agree on a leader")
    tap.holds(lambda: {http_json(f"http://{NODES[name][1]}:8080/v2/leader").get("leader")
                       for name in ("master101", "master102")},
              lambda found: len(found) == 1 and found.pop() in ("192.168.2.71:8080", "192.168.2.72:8080"),
              "the Marathons agree on a leader")


def check_mesos_master(tap, node):
    wanted = {"zk": MESOS_ZK, "quorum": "2", "ip": node.ip, "hostname": node.ip, "work_dir": "/var/lib/mesos",
              "log_dir": "/var/log/mesos", "port": "5050"}
    tap.holds(lambda: http_json(f"http://{node.ip}:5050/master/state.json"),
              lambda state: {key: state["flags"].get(key) for key in wanted} == wanted, f"{node.name}: mesos-master's flags")


def check_marathon(tap, node):
    tap.holds(lambda: get(f"http://{node.ip}:8080/ping"), lambda answer: answer[0] == 200 and "pong" in answer[1],
              f"{node.name}: Marathon answers")
    tap.holds(lambda: http_json(f"http://{node.ip}:8080/v2/info"),
              lambda info: info["marathon_config"]["master"] == MESOS_ZK and info["marathon_config"]["hostname"] == node.ip
              and info["zookeeper_config"]["zk"] == f"zk://{ENSEMBLE}/marathon"
              and info["event_subscriber"]["type"] == "http_callback", f"{node.name}: Marathon's options")


# ---- slave ----

def tiny_image():
    """A tar archive with a static busybox: enough to be an image."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
    return archive.getvalue()


def slave(lan, tap):
    """slave101 from the ISO by BIOS; its menu entry carries a static command line."""
    start_masters(lan, tap)
    node = lan.boot("slave101", medium="iso", firmware="bios", memory=2048)
    if not node.expect(r"slave101 \(slave\)", 120):
        raise Unusable("isolinux shows no list on the serial line\n" + node.tail())
    node.send("\x0e\r")  # ^N: the entry below the role's, which is the first node's
    node.wait_for_ssh(BOOT_S)
    tell_times(tap, node)
    tap.command(node, "cat /proc/cmdline", lambda text: "kiln.node=slave101" in text and "ip=192.168.2.61:" in text,
                "slave101: booted the entry that was chosen")
    check_identity(tap, node)
    check_mesos_slave(tap, node)
    check_docker(tap, node)
    check_units(tap, node, ["docker", "mesos-slave"], ["mesos-master"])
    check_no_failures(tap, node)


def resources_are_right(text):
    """"cpus:2;mem:900", then what the kernel says: the profile's reserve is 1024 MiB, at most half of the memory."""
    match = re.match(r"cpus:(\d+);mem:(\d+)\s+MemTotal:\s+(\d+) kB\s+(\d+)$", text.strip())
    if not match:
        return False
    cpus, offered, total_kb, online = map(int, match.groups())
    return cpus == online and offered == max(total_kb // 1024 - 1024, total_kb // 1024 // 2)


def check_mesos_slave(tap, node):
    wanted = {"master": MESOS_ZK, "ip": node.ip, "hostname": node.ip, "containerizers": "docker,mesos",
              "executor_registration_timeout": "5mins", "work_dir": "/var/lib/mesos"}
    tap.holds(lambda: http_json(f"http://{node.ip}:5051/state.json"),
              lambda state: {key: state["flags"].get(key) for key in wanted} == wanted, f"{node.name}: mesos-slave's flags")

    tap.command(node, "cat /etc/mesos-slave/resources; grep MemTotal /proc/meminfo; getconf _NPROCESSORS_ONLN",
                lambda text: resources_are_right(text), f"{node.name}: offers its memory less the reserve")

    def slaves():
        leader = http_json("http://192.168.2.71:5050/master/state.json")["leader"].split("@")[1]
        return http_json(f"http://{leader}/master/state.json")
    tap.holds(slaves, lambda state: state["activated_slaves"] == 1 and state["slaves"][0]["hostname"] == node.ip,
              f"{node.name}: registered with the leading master")
    tap.holds(slaves, lambda state: [each["name"] for each in state["frameworks"]] == ["marathon"],
              "Marathon is a framework of the leading master")


def check_docker(tap, node):
    tap.command(node, "docker info", lambda text: re.search(r"Storage Driver: overlay", text) and
                "192.168.2.98:5000" in text, f"{node.name}: docker's storage driver and insecure registry")
    status, text = node.ssh("docker import - tiny", data=tiny_image(), seconds=120)
    tap.ok(status == 0, f"{node.name}: docker imports an image", text)
    tap.command(node, "docker run --rm tiny /bin/busybox sh -c 'echo from $((40 + 2))'", lambda text: "from 42" in text,
                f"{node.name}: a container runs")


# ---- balancer ----

class Backend(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802 the base class asks for this name
        body = b"answer of the test's backend"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def balancer(lan, tap):
    """bamboo101 from the ISO by UEFI, with a MAC that the inventory does not know: DHCP says who it is."""
    start_masters(lan, tap)
    lan.answer_as("bamboo101", STRANGE_MAC)
    node = lan.boot("bamboo101", medium="iso", firmware="uefi", mac=STRANGE_MAC, memory=1536,
                    config_drive=config_drive("all-secrets.iso", *SECRETS))
    node.wait_for_ssh(BOOT_S)
    tell_times(tap, node)
    tap.command(node, "test -d /sys/firmware/efi", lambda text: True, "bamboo101: booted by UEFI")
    tap.command(node, "cat /proc/cmdline", lambda text: "kiln.node=" not in text, "bamboo101: the command line names no node")
    check_identity(tap, node)
    check_haproxy(tap, node)
    tap.command(node, "ip -4 -o address show", lambda text: f" {VIP}/" in text, "bamboo101: keepalived holds the VIP")
    tap.holds(lambda: get(f"http://{VIP}/haproxy_alive"), lambda answer: answer[0] == 200, "the VIP answers")
    check_service_discovery(tap, node)
    check_units(tap, node, ["haproxy", "bamboo-server", "keepalived"], [])
    check_no_failures(tap, node)


def check_haproxy(tap, node):
    tap.holds(lambda: get(f"http://{node.ip}/haproxy_alive"), lambda answer: answer[0] == 200, f"{node.name}: HAProxy answers on 80")
    check_statistics(tap, node)
    tap.holds(lambda: get(f"http://{node.ip}:8000/status"), lambda answer: answer == (200, "OK"), f"{node.name}: Bamboo answers")
    tap.command(node, "sysctl -n net.ipv4.ip_forward net.ipv4.ip_nonlocal_bind", lambda text: text.split() == ["1", "1"],
                f"{node.name}: sysctls")


def check_statistics(tap, node):
    url, password = f"http://{node.ip}:1936/haproxy_stats", SECRETS["haproxy_stats_password"]
    tap.holds(lambda: get(url, user=f"admin:{password}"),
              lambda answer: answer[0] == 200 and "Statistics Report" in answer[1], f"{node.name}: HAProxy's statistics")
    tap.same([get(url)[0], get(url, user="admin:admin")[0]], [401, 401], f"{node.name}: the statistics want the password")


def check_service_discovery(tap, node):
    """An application of Marathon's becomes reachable on the balancer, and a rule of Bamboo's counts."""
    server = http.server.ThreadingHTTPServer((HOST, 9000), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    app = json.dumps({"id": "/web", "instances": 1, "env": {"STAND_IN_TASKS": f"{HOST}:9000"}}).encode()
    tap.holds(lambda: get("http://192.168.2.71:8080/v2/apps", body=app), lambda answer: answer[0] == 201, "Marathon takes an app")
    is_backend = lambda answer: answer == (200, "answer of the test's backend")  # noqa: E731
    tap.holds(lambda: get(f"http://{VIP}/web"), is_backend, "the app is reachable by the VIP")
    rule = json.dumps({"id": "/web", "acl": "hdr(host) -i web.test"}).encode()
    tap.holds(lambda: get(f"http://{node.ip}:8000/api/services", body=rule), lambda answer: answer[0] == 200, "Bamboo takes a rule")
    tap.holds(lambda: get(f"http://{VIP}/", host="web.test"), is_backend, "the rule leads to the app")
    server.shutdown()


# ---- alone ----

def unknown(lan, tap):
    """A machine that neither the inventory nor DHCP knows, with a master's image."""
    mac = "52:54:00:99:00:02"
    node = lan.boot("master103", log="unknown", medium="iso", mac=mac, memory=1536)
    why = node.expect(r"REFUSED: [^\r\n]*", BOOT_S)
    if not tap.ok(why, "the console says that the machine was refused", node.tail()):
        return node.stop()
    note(why.group(0))
    ip = wait_until(lambda: lan.lease_of(mac), 60)
    if tap.ok(ip, "it has an address of the pool", node.tail()):
        node.wait_for_ssh(120, ip=ip)
        status, text = node.ssh("systemctl is-active zookeeper mesos-master marathon", ip=ip)
        tap.ok(len(text.split()) == 3 and set(text.split()) <= {"inactive", "failed"}, "the cluster's services are down",
               f"{status} {text}")
        tap.same([port for port in (2181, 5050, 8080) if can_connect(ip, port)], [], "none of their ports answers")
        tap.same(node.ssh("cat /var/lib/zookeeper/myid", ip=ip)[0], 1, "there is no myid")
        check_report(tap, lan, node, ip, lambda report: report["refused"] in why.group(0), "its report says why")
    return node.stop()


def check_secret_files(tap, lan, node, files):
    """The values are in these files of the node, which root alone reads, and in no log or report."""
    words = " ".join(f"-e {value}" for value in SECRETS.values())
    status, text = node.ssh(f"cd / && grep -rslF -D skip --exclude-dir=writable {words} etc root run tmp usr/share/kiln var | "
                            f"sort; journalctl -a --no-pager | grep -cF {words}; dmesg | grep -cF {words}", seconds=PATIENCE_S)
    tap.same(text.split(), [*sorted(files), "0", "0"], f"{node.name}: where the values of its secrets are")
    status, text = node.ssh(f"cd / && stat -c '%a %U' {' '.join(files)}")
    tap.same(set(text.splitlines()), {"600 root"}, f"{node.name}: root alone reads them")
    shown = json.dumps([report for client, report in lan.reports if client == node.ip]) + node.text
    tap.same([value for value in SECRETS.values() if value in shown], [], f"{node.name}: its reports and consoles show none")


def secrets(lan, tap):
    """bamboo102 with a config drive that has one of two secrets; then it is given the other."""
    node = lan.boot("bamboo102", medium="usb", memory=1536, config_drive=config_drive("half.iso", "haproxy_stats_password"))
    tap.ok(node.expect(r"the secret vrrp_password has no value: keepalived\.service stays down, "
                       r"/etc/keepalived/keepalived\.conf is not written", BOOT_S),
           "bamboo102: the console says which service stays down, and why", node.tail())
    node.wait_for_ssh(BOOT_S)
    tell_times(tap, node)
    tap.holds(lambda: get(f"http://{node.ip}/haproxy_alive"), lambda answer: answer[0] == 200, "bamboo102: HAProxy answers on 80")
    check_statistics(tap, node)
    tap.command(node, "systemctl is-system-running --wait >/dev/null; systemctl --failed --no-legend --plain",
                lambda text: [line.split()[0] for line in text.splitlines()] == ["kiln-secret@vrrp_password.service"],
                "bamboo102: the secret is what failed, and nothing else")
    tap.same(node.ssh("systemctl is-active keepalived; ls /etc/keepalived/keepalived.conf /usr/sbin/keepalived")[1].split()[0],
             "inactive", "bamboo102: keepalived is down")
    tap.command(node, "cat /etc/issue", lambda text: "services are DOWN for want of secrets: vrrp_password" in text,
                "bamboo102: it stands above the login prompt")
    tap.command(node, "ip -4 -o address show", lambda text: f" {VIP}/" not in text, "bamboo102: it does not hold the VIP")
    check_secret_files(tap, lan, node, ["etc/haproxy/stats.cfg"])
    given = f"vrrp_password={SECRETS['vrrp_password']}\n".encode()
    status, text = node.ssh("umask 077; cat >/var/lib/kiln/kiln.secrets && /usr/libexec/kiln/kiln-node apply && "
                            "systemctl start keepalived", data=given, seconds=PATIENCE_S)
    tap.ok(status == 0, "bamboo102: the secret that it lacked is given to it", text)
    tap.command(node, "systemctl is-active keepalived", lambda text: text == "active", "bamboo102: keepalived runs then")
    tap.command(node, "ip -4 -o address show", lambda text: f" {VIP}/" in text, "bamboo102: it holds the VIP")
    check_secret_files(tap, lan, node, ["etc/haproxy/stats.cfg", "etc/keepalived/keepalived.conf",
                                        "var/lib/kiln/kiln.secrets"])
    node.stop()


def check_network_repair(tap, node):
    """A card that udev never finished, and that has no address: the machine repairs it by itself."""
    status, text = node.ssh("index=$(cat /sys/class/net/e*/ifindex) && name=$(cd /sys/class/net && echo e*) && "
                            "systemd-run --no-block sh -c \"sleep 2; ip address flush dev $name; "
                            "sed -i '/^I:/d; $ a E:ID_RENAMING=1' /run/udev/data/n$index; systemctl restart kiln-network\"")
    if tap.ok(status == 0, f"{node.name}: its network is broken on purpose", text):
        tap.command(node, "cat /run/kiln/report.json",
                    lambda text: json.loads(text)["network"] == {"problem": None, "repairs": 1},
                    f"{node.name}: the network is repaired, and the report says so")


def usb(lan, tap):
    """registry101 from its ISO as a USB stick, with a card that nobody knows yet."""
    mac = "52:54:00:99:00:03"
    node = lan.boot("registry101", medium="usb", mac=mac, memory=1536)
    tap.ok(node.expect(r"REFUSED: [^\r\n]*", BOOT_S), "a machine that nobody knows is refused", node.tail())
    lan.answer_as("registry101", mac)  # what its operator does then
    tap.ok(node.expect(r"kiln-node: this machine is registry101 now", PATIENCE_S),
           "once DHCP knows it, it looks again and starts its services", node.tail())
    node.wait_for_ssh(BOOT_S)
    tell_times(tap, node)
    check_identity(tap, node)
    tap.holds(lambda: get(f"http://{node.ip}:5000/v2/"), lambda answer: answer[0] == 200, "registry101: the registry answers")
    check_report(tap, lan, node, node.ip, lambda report: report["hostname"] == "registry101" and report["refused"] is None and
                 any(value["name"] == "ip" and value["value"].startswith("192.168.2.98") and value["source"]
                     for value in report["values"]) and
                 report["boot"]["root"].startswith("medium:"), "registry101: its report arrives")
    check_no_failures(tap, node)
    check_packages(tap, lan, node, "registry")
    check_network_repair(tap, node)
    node.stop()


def grub(lan, tap):
    """slave102 over the network by UEFI: the firmware's PXE, GRUB from TFTP, the MAC in GRUB's menu."""
    node = lan.boot("slave102", firmware="uefi", memory=2048)
    node.wait_for_ssh(BOOT_S * 2)
    tell_times(tap, node)
    tap.command(node, "test -d /sys/firmware/efi && cat /proc/cmdline", lambda text: "kiln.root=carried" in text,
                "slave102: booted over the network by UEFI")
    check_identity(tap, node)
    node.stop()


# The masters stay up once they are started, so what needs no cluster comes first.
SCENARIOS = {"unknown": unknown, "usb": usb, "secrets": secrets, "grub": grub, "master": master, "slave": slave, "balancer": balancer}
