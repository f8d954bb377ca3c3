# SPDX-License-Identifier: MIT
"""A cluster of stand-ins: what the article's machines answer over HTTP, four-letter words and ssh, while they boot again,
lead and follow. It notes what no rollout may do: two members of an ensemble away, a node touched that has tasks, a
machine that is left without offers."""
import contextlib
import json
import os
import shlex
import socket
import threading
import time

from zookeeper_words import begins_session, converse

LEAVES_S, AWAY_S = 0.03, 0.12
WHITELIST_READ_S = 0.8  # a master's 5 s
SSH_PORT = 7022
FAKE_SSH = r"""#!/bin/bash
# The words and what is read go to the test's process; it says what the command would.
exec 3<>/dev/tcp/127.0.0.1/%d || exit 255
printf '%%s\n' "$@" "--INPUT--" >&3
cat >&3
printf '\n--END--\n' >&3
read -r status <&3
cat <&3
exit "$status"
"""


def http(body, status="200 OK"):
    body = body if isinstance(body, str) else json.dumps(body)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()


class Node:
    def __init__(self, name, role, ip, build):
        self.name, self.role, self.ip, self.build = name, role, ip, build
        self.boot, self.leaves_at, self.back_at = 1, None, None
        self.is_broken, self.registered, self.tasks, self.whitelist, self.reboots = False, True, [], None, 0
        self.cpus, self.whitelist_before, self.whitelist_since = 4.0, None, 0.0

    def write_whitelist(self, addresses):
        self.whitelist_before, self.whitelist_since = self.read_whitelist(), time.monotonic()
        self.whitelist = addresses

    def read_whitelist(self):
        """As the master knows it; None: everybody is offered."""
        is_read = time.monotonic() - self.whitelist_since >= WHITELIST_READ_S
        return self.whitelist if is_read else self.whitelist_before

    @property
    def boot_id(self):
        return f"{self.name}-{self.boot}"


class World:
    """Nodes by name. `wanted` gives the build that machines boot now."""

    def __init__(self, nodes, wanted, vip=None):
        self.nodes, self.wanted, self.vip = {node.name: node for node in nodes}, wanted, vip
        self.by_ip = {node.ip: node for node in nodes}
        self.lock = threading.RLock()
        self.log, self.wrong, self.deployments, self.stays = [], [], [], set()
        self.leaders = {"zookeeper": "master103", "mesos": "master102", "marathon": "master101"}
        self.sockets, self.open = [], True
        self.broken_builds, self.leadless = set(), False
        self.ssh_hook = None
        self.listen("127.0.0.1", SSH_PORT, self.answer_ssh)
        for node in nodes:
            for port in {"master": (2181, 5050, 8080), "slave": (5051,), "balancer": (80, 8000, 1937), "registry": (5000,)}[node.role]:
                self.listen(node.ip, port, self.answer_node)
        if vip:
            for port in (80, 8000):
                self.listen(vip, port, self.answer_vip)

    def close(self):
        self.open = False
        for listener in self.sockets:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def listen(self, ip, port, answer):
        listener = socket.create_server((ip, port), backlog=256)
        self.sockets.append(listener)

        def one(connection):
            with contextlib.suppress(OSError), connection:
                connection.settimeout(10)
                answer(connection, ip, port)

        def serve():
            while self.open:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()

    # ---- time ----

    def is_up(self, node):
        """Lets time pass for all nodes first."""
        now = time.monotonic()
        for other in self.nodes.values():
            if other.leaves_at is not None and now >= other.leaves_at:
                other.leaves_at, other.back_at = None, now + AWAY_S
                self.leave(other)
            if other.back_at is not None and now >= other.back_at and not other.is_broken:
                other.back_at = None
                self.come_back(other)
        return node.back_at is None and not node.is_broken

    def up(self, role):
        return [node for node in self.nodes.values() if node.role == role and node.back_at is None and not node.is_broken]

    def leave(self, node):
        node.reboots += 1
        self.log.append(f"leaves {node.name}")
        away = [other.name for other in self.nodes.values() if other.role == "master" and (other.back_at is not None or other.is_broken)]
        if node.role == "master" and len(away) > 1:
            self.wrong.append(f"masters away together: {away}")
        if node.role == "slave" and node.tasks:
            self.wrong.append(f"{node.name} left with {node.tasks}")
        node.whitelist, node.registered = None, False
        for service, leader in self.leaders.items():
            if leader == node.name:
                rest = [other for other in self.up("master") if other is not node]
                self.leaders[service] = rest[0].name if rest else None

    def come_back(self, node):
        node.boot += 1
        node.build = self.wanted()
        node.is_broken = (node.build, node.name) in self.broken_builds
        if node.is_broken:
            node.back_at = time.monotonic() + 1e9
        node.registered = True
        self.log.append(f"boots {node.name} {node.build}")
        for service, leader in self.leaders.items():
            if leader is None:
                self.leaders[service] = node.name

    def reboot(self, node):
        if node.name not in self.stays:
            node.leaves_at = time.monotonic() + LEAVES_S

    def holder(self):
        return next((node for node in self.nodes.values() if node.role == "balancer" and node.back_at is None and not node.is_broken), None)

    # ---- HTTP ----

    def answer_node(self, connection, ip, port):
        request = connection.recv(65536)
        with self.lock:
            node = self.by_ip[ip]
            if not self.is_up(node):
                return
            if not request:  # whoever asked was killed
                return
            if begins_session(request):
                nodes = self.elections()
            else:
                nodes, answer = None, self.say(node, port, request)
        if nodes is not None:
            converse(connection, nodes)
            return
        connection.sendall(answer)

    def answer_vip(self, connection, _ip, _port):
        connection.recv(65536)
        with self.lock:
            for node in self.nodes.values():
                self.is_up(node)
            if self.holder() is None:
                return
        connection.sendall(http("alive"))

    def say(self, node, port, request):
        if port == 2181:
            return self.say_zookeeper(node, request)
        if port == 5050:
            return self.say_mesos(node, request)
        if port == 8080:
            return self.say_marathon(request)
        return http({"id": node.boot_id})

    def say_zookeeper(self, node, request):
        leads = self.leaders["zookeeper"] == node.name and not self.leadless
        if request.startswith(b"mntr"):
            return f"zk_version\t3.4.6\n{f'zk_synced_followers	{len(self.up(node.role)) - 1}' if leads else ''}\n".encode()
        return f"Zxid: 0x500000003\nMode: {'leader' if leads else 'follower'}\n".encode()

    def elections(self):
        leaders = {service: self.nodes[name].ip if name else "" for service, name in self.leaders.items()}
        return {"/mesos/json.info_0000000001": json.dumps({"pid": f"master@{leaders['mesos']}:5050"}).encode(),
                "/marathon/leader/member_0000000001": f"{leaders['marathon']}:8080".encode()}

    def say_mesos(self, node, request):
        leads = self.leaders["mesos"] == node.name
        slaves = [slave for slave in self.up("slave") if slave.registered] if leads else []
        if b"/metrics/snapshot" in request:
            return http({"master/elected": float(leads), "master/slaves_active": float(len(slaves))})
        leader = self.nodes[self.leaders["mesos"]].ip if self.leaders["mesos"] else ""
        return http({"leader": f"master@{leader}:5050", "slaves": [
            {"id": slave.boot_id, "hostname": slave.ip, "resources": {"cpus": slave.cpus, "mem": 1000, "disk": 1000, "ports": "[31000-32000]"},
             "used_resources": {"cpus": float(len(slave.tasks)), "mem": 10 * len(slave.tasks), "disk": 0, "ports": "[]"}}
            for slave in slaves]})

    def say_marathon(self, request):
        line, _, body = request.partition(b"\r\n\r\n")
        words = line.split()
        if words[1] == b"/v2/leader":
            return http({"leader": f"{self.nodes[self.leaders['marathon']].ip}:8080"})
        if words[1] == b"/v2/deployments":
            return http(self.deployments)
        if words[:2] == [b"GET", b"/v2/tasks"]:
            return http({"tasks": [{"id": task, "host": slave.ip} for slave in self.nodes.values() for task in slave.tasks]})
        if words[:2] == [b"POST", b"/v2/tasks/delete?scale=false"]:
            for task in json.loads(body)["ids"]:
                self.move(task)
            return http({})
        return http("", "404 Not Found")

    def move(self, task):
        allowed = self.nodes[self.leaders["mesos"]].read_whitelist()
        source = next(slave for slave in self.nodes.values() if task in slave.tasks)
        source.tasks.remove(task)
        for slave in (source, *(slave for slave in self.up("slave") if slave is not source)):
            offered = allowed is None or slave.ip in allowed
            if offered and len(slave.tasks) < slave.cpus:
                slave.tasks.append(task)
                return
        self.wrong.append(f"task {task} found no place")

    # ---- ssh ----

    def answer_ssh(self, connection, _ip, _port):
        text = b""
        while not text.endswith(b"\n--END--\n"):
            part = connection.recv(65536)
            if not part:
                return
            text += part
        words, _, given = text.decode().partition("--INPUT--\n")
        words = words.splitlines()
        given = given[:-len("\n--END--\n")]
        with self.lock:
            status, output = self.run_ssh(words, given)
        connection.sendall(f"{status}\n{output}".encode(errors="surrogateescape"))

    def run_ssh(self, words, given):
        target = next(word for word in words if word.startswith("root@")).removeprefix("root@")
        command = shlex.split(" ".join(words[words.index("--") + 1:]))  # as ssh joins them, and the node's shell reads them
        node = self.by_ip[target]
        if not self.is_up(node):
            return 255, ""
        if self.ssh_hook and (said := self.ssh_hook(node, command)):
            return said
        if command[0] == "cat":
            return 0, f"{node.boot_id}\n{json.dumps({'build': node.build, 'node': node.name})}"
        if command[:2] == ["systemctl", "reboot"]:
            self.log.append(f"reboot {node.name}")
            self.reboot(node)
            return 0, ""
        if command[:2] == ["systemctl", "kill"]:
            node.registered = False
            self.log.append(f"SIGUSR1 {node.name}")
            return 0, ""
        if command[0] == "sh" and "whitelist" in command[2]:
            node.write_whitelist(given.split())
            self.log.append(f"whitelist {node.name} {len(node.whitelist)}")
            return 0, ""
        if command[0] == "ip":
            return 0, f"2: eth0 inet {command[-1]}/32" if self.holder() is node else ""
        return 127, ""


def write_fake_ssh(directory):
    os.makedirs(directory, exist_ok=True)
    path = f"{directory}/ssh"
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(FAKE_SSH % SSH_PORT)
    os.chmod(path, 0o755)


def write_fake_ipmitool(directory):
    """Says what it was called with, and switches the machine whose controller is 10.9.9.N through the fake ssh's door."""
    path = f"{directory}/ipmitool"
    with open(path, "w", encoding="utf-8") as stream:
        stream.write('#!/bin/bash\nprintf "%s\\n" "$*" >> "$(dirname "$0")/ipmitool.log"\n'
                     'case "$*" in\n*"power status") echo "Chassis Power is on" ;;\n'
                     f'*"power cycle") exec "$(dirname "$0")/ssh" "root@$4" -- "\'systemctl\'" "\'reboot\'" </dev/null ;;\nesac\n')
    os.chmod(path, 0o755)
