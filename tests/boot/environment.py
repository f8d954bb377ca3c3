# SPDX-License-Identifier: MIT
"""The world around the nodes: images, a bridge with taps, dnsmasq (DHCP, TFTP) and lighttpd (HTTP), and the nodes themselves."""
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import cluster_access
from tap import fail_all

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(TOP, "build/test/boot")
KILN = os.environ.get("KILN", os.path.join(TOP, "build/kiln"))
CLUSTER = os.path.join(TOP, "profiles/cluster.yaml")
HOST = "192.168.2.1"
REPORT_PORT = 9900

# The article's table, written down a second time on purpose: what the images say is checked against it.
NODES = {
    "master101": ("52:54:00:a8:02:47", "192.168.2.71"),
    "master102": ("52:54:00:a8:02:48", "192.168.2.72"),
    "master103": ("52:54:00:a8:02:49", "192.168.2.73"),
    "slave101": ("52:54:00:a8:02:3d", "192.168.2.61"),
    "slave102": ("52:54:00:a8:02:3e", "192.168.2.62"),
    "bamboo101": ("52:54:00:a8:02:5b", "192.168.2.91"),
    "bamboo102": ("52:54:00:a8:02:5c", "192.168.2.92"),
    "registry101": ("52:54:00:a8:02:62", "192.168.2.98"),
}


class Unusable(Exception):
    """A node or a server did not come up: the rest of the scenario makes no sense."""


def make_key():
    return cluster_access.make_key(WORK, "kiln-boot-test")


def build(key):
    """Bakes the images that trust the test's key. What did not change since the last time is not made again."""
    with open(key + ".pub") as file:
        public = file.read().strip()
    command = [KILN, "build", CLUSTER, "--release", "lab", "--out", os.path.join(WORK, "out"), "--cache",
               os.path.join(TOP, "build/cache"), "--set", f'variables.ssh_authorized_keys=["{public}"]',
               "--set", "variables.vrrp_authentication=true", "--set", f"report_url=http://{HOST}:{REPORT_PORT}/report"]
    result = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        fail_all("the images are built", result.stdout)


# Values of the cluster's secrets, which are on config drives that the test makes and nowhere else.
SECRETS = {"haproxy_stats_password": "Zk4-statistics-of-the-test", "vrrp_password": "Vq7-vrrp"}


def config_drive(name, *secrets):
    """A new image with these secrets."""
    path = os.path.join(WORK, name)
    if os.path.exists(path):
        os.unlink(path)
    for secret in secrets:
        result = subprocess.run([KILN, "secret", "put", path, secret], input=SECRETS[secret], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode != 0:
            raise Unusable(f"{path} cannot be made: {result.stdout}")
    return path


def published():
    return os.path.realpath(os.path.join(WORK, "out/article/current"))


def wait_until(condition, seconds, every=0.5):
    """The first true value of `condition`, or the last false one when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() >= end:
            return value
        time.sleep(every)


class Lan:
    """The article's network 192.168.2.0/24 on a bridge; `with` ends everything that was started in it."""

    def __init__(self, artefacts, key, tap):
        self.artefacts, self.key, self.tap = artefacts, key, tap
        self.nodes, self.servers, self.aliases, self.dnsmasq = {}, [], {}, None
        self.has_masters = False
        self.reports = []  # (client's address, JSON) of each that a node sent
        self.stages = []

    def __enter__(self):
        run = lambda *command: subprocess.run(command, check=True)  # noqa: E731
        run("mount", "-t", "tmpfs", "none", "/run")  # dnsmasq's and lighttpd's own files
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0")
        run("ip", "address", "add", f"{HOST}/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")
        self._start_http()
        self._start_reports()
        self._start_dnsmasq()
        return self

    def __exit__(self, *_):
        for node in self.nodes.values():
            node.stop()
        for server in self.servers + [self.dnsmasq]:
            server.kill()
            server.wait()

    def _server(self, name, command):
        log = open(os.path.join(WORK, f"{name}.log"), "w")
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _start_http(self):
        configuration = os.path.join(WORK, "lighttpd.conf")
        with open(configuration, "w") as file:
            file.write(f'server.document-root = "{self.artefacts}"\nserver.bind = "{HOST}"\nserver.port = 80\n'
                       'server.modules = ("mod_accesslog")\naccesslog.filename = "/dev/stdout"\n')
        self.servers.append(self._server("http", ["lighttpd", "-D", "-f", configuration]))
        if not wait_until(lambda: can_connect(HOST, 80), 10):
            raise Unusable("lighttpd does not start: see build/test/boot/http.log")

    def _start_reports(self):
        """Takes what nodes send to report_url. The first of each node is refused: it must come again."""
        refused = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(handler):  # noqa: N802,N805 the base class asks for the name; self is the Lan's
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                client = handler.client_address[0]
                told = json.loads(body)
                if client in refused and "stage" in told:
                    self.stages.append((client, told))
                elif client in refused:
                    self.reports.append((client, told))
                handler.send_response(204 if client in refused else 503)
                refused.add(client)
                handler.end_headers()

            def log_message(handler, *_):  # noqa: N805
                pass
        server = http.server.ThreadingHTTPServer((HOST, REPORT_PORT), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def _start_dnsmasq(self):
        known = {name: (mac, ip, name) for name, (mac, ip) in NODES.items()}
        known.update({name: (mac, NODES[name][1], name) for name, mac in self.aliases.items()})
        hosts = "".join(f"dhcp-host={mac},{ip},{name}\n" for mac, ip, name in known.values())
        configuration = os.path.join(WORK, "dnsmasq.conf")
        with open(configuration, "w") as file:
            file.write(f"""interface=br0
bind-interfaces
no-resolv
no-hosts
log-dhcp
dhcp-leasefile=/run/leases
dhcp-authoritative
no-ping
dhcp-range=192.168.2.150,192.168.2.199,255.255.255.0,1h
{hosts}dhcp-match=set:ipxe,175
dhcp-match=set:uefi,option:client-arch,7
dhcp-boot=tag:ipxe,http://{HOST}/pxe/boot.ipxe
dhcp-boot=tag:!ipxe,tag:uefi,grubx64.efi
dhcp-boot=tag:!ipxe,tag:!uefi,undionly.kpxe
enable-tftp
tftp-root={self.artefacts}/pxe
""")
        self.dnsmasq = self._server("dnsmasq", ["dnsmasq", "-k", "-C", configuration, "--user=", "--group=",  # who it is: a namespace's root
                                              "--log-facility=-"])
        time.sleep(0.3)
        if self.dnsmasq.poll() is not None:
            raise Unusable("dnsmasq does not start: see build/test/boot/dnsmasq.log")

    def answer_as(self, name, mac):
        """From now on DHCP gives the node's name and address to another MAC than the inventory's."""
        self.aliases[name] = mac
        self.dnsmasq.kill()
        self.dnsmasq.wait()
        self._start_dnsmasq()

    def lease_of(self, mac):
        try:
            with open("/run/leases") as file:
                return next((line.split()[2] for line in file if line.split()[1] == mac), None)
        except FileNotFoundError:
            return None

    def boot(self, name, log=None, **options):
        """Starts `kiln boot NODE`; returns the Node at once."""
        node = Node(self, name, log or name, options)
        self.nodes[log or name] = node
        return node

    def logs(self):
        return "\n".join(f"--- {name}\n{node.tail()}" for name, node in self.nodes.items() if node.is_running())


class Node:
    """A virtual machine with its serial console."""

    def __init__(self, lan, name, log, options):
        self.lan, self.name, self.ip = lan, name, NODES[name][1]
        self.tap_name = "t" + log[:14]
        self.log_path = os.path.join(WORK, f"{log}.log")
        self.text, self.lock = "", threading.Lock()
        socket_path = os.path.join("/run", f"{log}.serial")
        subprocess.run(["ip", "tuntap", "add", self.tap_name, "mode", "tap"], check=True)
        subprocess.run(["ip", "link", "set", self.tap_name, "master", "br0", "up"], check=True)
        command = [KILN, "boot", CLUSTER, name, "--release", "lab", "--artefacts", lan.artefacts, "--network",
                   f"tap:{self.tap_name}", "--serial", f"unix:{socket_path}", "--verbose",
                   "--accel", os.environ.get("KILN_ACCEL", "tcg")]
        for option, value in options.items():
            command += [f"--{option.replace('_', '-')}", str(value)]
        self.started = time.monotonic()
        self.messages = open(os.path.join(WORK, f"{log}.kiln.log"), "w+")
        self.process = subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=self.messages,
                                        stderr=subprocess.STDOUT)
        self.console = socket.socket(socket.AF_UNIX)
        if not wait_until(lambda: self._connect(socket_path), 30, 0.05):
            self.messages.seek(0)
            message = self.messages.read()
            self.stop()
            raise Unusable(f"kiln boot {name} starts no machine: {message}")
        threading.Thread(target=self._read, daemon=True).start()

    def _connect(self, path):
        if self.process.poll() is not None:
            return False
        try:
            self.console.connect(path)
            return True
        except OSError:
            return False

    def _read(self):
        with open(self.log_path, "w", errors="replace") as log:
            while True:
                try:
                    data = self.console.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                text = data.decode(errors="replace")
                with self.lock:
                    self.text += text
                log.write(text)
                log.flush()

    def is_running(self):
        return self.process.poll() is None

    def expect(self, pattern, seconds):
        """The match of a pattern on the console, or None when the time is over or the machine has gone."""
        def look():
            with self.lock:
                match = re.search(pattern, self.text)
            return match or (not self.is_running() and "gone")
        found = wait_until(look, seconds)
        return found if found != "gone" else None

    def send(self, text):
        for character in text:  # a boot loader polls its serial line
            self.console.sendall(character.encode())
            time.sleep(0.05)

    def tail(self, lines=40):
        with self.lock:
            text = re.sub(r"\x1b\[[0-9;?=]*[A-Za-z]", "", self.text).replace("\r", "")
        return "\n".join(text.splitlines()[-lines:])

    def ssh(self, command, data=None, seconds=60, ip=None):
        """(exit status, output) of a command on the node; -1 if it takes too long. `data` is its standard input."""
        arguments = ["ssh", "-i", self.lan.key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                     "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR", "-F", "none",
                     f"root@{ip or self.ip}", command]
        try:
            result = subprocess.run(arguments, input=data or b"", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return -1, f"no end within {seconds} s"
        return result.returncode, result.stdout.decode(errors="replace").strip()

    def wait_for_ssh(self, seconds=240, ip=None):
        """Waits for the way in; without one the node is unusable."""
        if not wait_until(lambda: not self.is_running() or self.ssh("true", ip=ip)[0] == 0, seconds, 2):
            raise Unusable(f"{self.name} cannot be reached by ssh within {seconds} s\n{self.tail()}")
        if not self.is_running():
            raise Unusable(f"{self.name} ended: exit status {self.process.returncode}\n{self.tail()}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.console.close()
        subprocess.run(["ip", "link", "delete", self.tap_name], check=False, stderr=subprocess.DEVNULL)


def can_connect(ip, port, seconds=3):
    try:
        with socket.create_connection((ip, port), seconds):
            return True
    except OSError:
        return False
