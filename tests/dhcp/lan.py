# SPDX-License-Identifier: MIT
"""A switch with machines on it, each in a network namespace, and the programs that run on them."""
import json
import os
import re
import subprocess
import sys
import threading
import time

from cable import open_ends
from internet import message_type

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build")
WORK = os.path.join(BUILD, "test/dhcp")
NODE_MAC = "52:54:00:a8:02:47"  # master101's
STRANGER_MAC = "52:54:00:a8:02:99"
NODES = [("master101", "master", NODE_MAC, "192.168.2.71", 1), ("master102", "master", "", "192.168.2.72", 2),
         ("slave101", "slave", "52:54:00:a8:02:51", "192.168.2.81", 0)]


def command(*words, check=True, timeout=60):
    return subprocess.run(words, check=check, timeout=timeout, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def node_json(**settings):
    """A node.json of a small cluster; `settings` are keys of it."""
    networks = [{"name": "lan", "subnet": "192.168.2.0/24", "prefix": 24, "gateway": "192.168.2.1", "dns": []}]
    nodes = [{"name": name, "role": role, "mac": mac, "ip": ip, "id": number, "index": 0, "network": "lan"}
             for name, role, mac, ip, number in NODES]
    return {"format": 1, "cluster": "article", "role": "master", "build": "b", "release": "lab",
            "network_writer": "systemd-networkd", "networks": networks, "nodes": nodes, "dhcp_timeout_ms": 40000,
            "carrier_timeout_ms": 20000} | settings


class Machine:
    """A network namespace with one card, eth0, on a port of the switch that has the machine's name."""

    def __init__(self, name, mac=None, address=None, switch="br0"):
        self.name, self.switch, self.cable = name, switch, None
        command("ip", "netns", "add", name)
        self.add_card("eth0", mac, name, switch)
        self.ip("link", "set", "lo", "up")
        if address:
            self.ip("address", "add", address, "dev", "eth0")
            self.ip("link", "set", "eth0", "up")

    def add_card(self, card, mac, port, switch):
        command("ip", "link", "add", port, "type", "veth", "peer", "name", card, "netns", self.name,
                *(["address", mac] if mac else []))
        if switch:
            command("ip", "link", "set", port, "master", switch)
        command("ip", "link", "set", port, "up")

    def ip(self, *words):
        command("ip", "-n", self.name, *words)

    def waits_for_a_link(self):
        """Whether somebody has set its card up, and there is no cable."""
        return "NO-CARRIER" in command("ip", "-n", self.name, "link", "show", "eth0").stdout

    def argv(self, *words):
        return ["ip", "netns", "exec", self.name, *words]

    def put_on_bad_cable(self, delay_ms=0, jitter_ms=0, loss=0, duplicate=0, seed=1):
        """Between its card and the switch, in both directions; see cable.py."""
        self._put_on_cable("cable.py", delay_ms, jitter_ms, loss, duplicate, seed)

    def put_on_gathering_cable(self, *servers):
        """So that it gets the offers of these servers together, in this order; see gather.py."""
        self._put_on_cable("gather.py", *servers)

    def _put_on_cable(self, script, *words):
        self.put_on_good_cable()
        near, far = f"{self.name}-a", f"{self.name}-b"
        command("ip", "link", "set", self.name, "nomaster")
        command("ip", "link", "add", near, "type", "veth", "peer", "name", far)
        command("ip", "link", "set", near, "up")
        command("ip", "link", "set", far, "master", self.switch, "up")
        self.cable = subprocess.Popen([sys.executable, os.path.join(HERE, script), self.name, near, *map(str, words)],
                                      stdout=subprocess.PIPE)
        self.cable.stdout.readline()

    def put_on_good_cable(self):
        if not self.cable:
            return
        self.cable.kill()
        self.cable.wait()
        self.cable.stdout.close()
        self.cable = None
        command("ip", "link", "delete", f"{self.name}-a")
        command("ip", "link", "set", self.name, "master", self.switch)

    def remove(self):
        self.put_on_good_cable()
        command("ip", "link", "delete", self.name, check=False)
        command("ip", "netns", "delete", self.name)


def when_it_asks(port, then):
    """Calls `then`, in a thread, as soon as the first DHCP message comes out of the port."""
    ear, = open_ends([port])

    def listen():
        with ear:
            while not message_type(ear.recv(2048)):
                pass
        then()
    threading.Thread(target=listen, daemon=True).start()


class Server:
    """A program that runs on a machine; `ready` is what it logs when it can answer."""

    def __init__(self, machine, ready, *words):
        self.path = os.path.join(WORK, f"{machine.name}-{os.path.basename(words[0])}.log")
        self.log_file = open(self.path, "w")
        self.process = subprocess.Popen(machine.argv(*words), stdin=subprocess.DEVNULL, stdout=self.log_file,
                                        stderr=subprocess.STDOUT)
        if not wait_until(lambda: ready in self.log() or self.process.poll() is not None, 20) or ready not in self.log():
            raise RuntimeError(f"{words[0]} does not start:\n{self.log()}")

    def log(self):
        with open(self.path) as file:
            return file.read()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log_file.close()


def write(name, text):
    path = os.path.join(WORK, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def dnsmasq(machine, *options, interface="eth0"):
    return Server(machine, "DHCP, ", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=",
                  "--group=", "--pid-file=", "--leasefile-ro", f"--interface={interface}", "--bind-interfaces", "--no-ping",
                  "--dhcp-authoritative", "--log-facility=-", "--log-dhcp", *options)


def dhcpd(machine, configuration, interface="eth0"):
    base = "authoritative;\ndefault-lease-time 3600;\nmax-lease-time 7200;\nping-check false;\n"
    path = write(f"{machine.name}.conf", base + configuration)
    leases = write(f"{machine.name}.leases", "")
    return Server(machine, "Server starting service", "dhcpd", "-4", "-f", "-d", "--no-pid", "-cf", path, "-lf", leases,
                  interface)


class Client:
    """What the program under test is told and what it finds."""

    def __init__(self, machine):
        self.machine = machine

    def _run(self, settings, *words):
        path = write("node.json", json.dumps(node_json(**settings)))
        done = command(*self.machine.argv(os.path.join(BUILD, "tests/dhcp/client"), path, *words), check=False)
        if done.returncode != 0:
            raise RuntimeError(f"client: status {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def ask(self, *interfaces, **settings):
        return self._run(settings, *(interfaces or ["eth0"]))

    def probe(self, address):
        return self._run({}, "eth0", "probe", address)["by"]

    def _node(self, verb, command_line, settings, *words):
        root = os.path.join(WORK, "root")
        os.makedirs(os.path.join(root, "etc/kiln"), exist_ok=True)
        write("root/etc/kiln/node.json", json.dumps(node_json(**settings)))
        done = command(*self.machine.argv(os.path.join(BUILD, "kiln-node"), verb, "--root", root, "--cmdline",
                                          write("cmdline", command_line + "\n"), *words), check=False)
        return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)

    def apply(self, command_line, **settings):
        """Runs kiln-node itself below a root: its exit status and what it says."""
        return self._node("apply", command_line, settings)

    def reconsider(self, command_line, **settings):
        """A refused machine that looks again: the process, and the file that has what it asked of systemctl."""
        root, called = os.path.join(WORK, "root"), write("systemctl.log", "")
        os.makedirs(os.path.join(root, "etc/kiln"), exist_ok=True)
        write("root/etc/kiln/node.json", json.dumps(node_json(**settings)))
        os.makedirs(os.path.join(WORK, "bin"), exist_ok=True)
        os.chmod(write("bin/systemctl", f'#!/bin/sh\necho "$*" >>{called}\n'), 0o755)
        path = os.path.join(WORK, "bin") + ":" + os.environ["PATH"]
        words = [os.path.join(BUILD, "kiln-node"), "reconsider", "--root", root, "--cmdline",
                 write("cmdline", command_line + "\n")]
        return subprocess.Popen(self.machine.argv("env", f"PATH={path}", *words), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True), called

    def network(self, command_line, **settings):
        """What the initrd does to fetch its root: exit status, words, the routes that there are then."""
        status, text = self._node("network", command_line, settings, os.path.join(WORK, "resolv.conf"))
        return status, text, command("ip", "-n", self.machine.name, "-4", "route").stdout
