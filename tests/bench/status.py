# SPDX-License-Identifier: MIT
"""`kiln status` beside what an operator would otherwise type: curl, one node after the other, in a network namespace that has the
cluster's addresses. Prints a JSON object of seconds; tests/bench/run makes rows of it."""
import importlib.machinery
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
DEADLINE_S = 2  # of one question, as kiln's default
PEER_NODES = 100  # that curl is given of the many; the rest follows from them


def load_suite():
    loader = importlib.machinery.SourceFileLoader("status_suite", f"{TOP}/tests/status/run")
    suite = importlib.util.module_from_spec(importlib.util.spec_from_loader("status_suite", loader))
    loader.exec_module(suite)
    return suite


def seconds_of(call):
    started = time.monotonic()
    call()
    return time.monotonic() - started


def status(file):
    subprocess.run([f"{TOP}/build/kiln", "status", file, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def curl(urls):
    for url in urls:
        subprocess.run(["curl", "-s", "-o", "/dev/null", "--max-time", str(DEADLINE_S), url], check=False)


def ten(suite):
    """The shipped cluster whole, and with three machines off, of which nothing comes back at all."""
    def urls(ips):
        ports = {**dict.fromkeys(suite.MASTERS, (2181, 2181, 5050, 5050, 8080, 8080)), **dict.fromkeys(suite.SLAVES, (5051, 5051)),
                 **dict.fromkeys(suite.BALANCERS, (80, 8000)), suite.REGISTRY: (5000,)}
        return [f"http://{ip}:{port}/" for ip in ips for port in ports[ip]]
    machines = [*suite.MASTERS, *suite.SLAVES, *suite.BALANCERS, suite.REGISTRY]
    file = f"{TOP}/profiles/cluster.yaml"
    servers = suite.whole_cluster()
    try:
        result = {"kiln status: ten nodes": seconds_of(lambda: status(file)), "peer: curl, ten nodes": seconds_of(lambda: curl(urls(machines)))}
        off = (suite.MASTERS[0], suite.SLAVES[0], suite.BALANCERS[0])
        for ip in {*machines, suite.VIP} - {*off}:
            subprocess.run(["ip", "route", "add", "local", f"{ip}/32", "dev", "lo"], check=True)
        subprocess.run(["ip", "route", "replace", "192.168.2.0/24", "dev", "void"], check=True)
        subprocess.run(["ip", "route", "del", "local", "192.168.2.0/24", "dev", "lo"], check=True)
        result["kiln status: ten nodes, three of them off"] = seconds_of(lambda: status(file))
        result["peer: curl, ten nodes, three of them off"] = seconds_of(lambda: curl(urls(machines)))
    finally:
        servers.close()
    return result


def many(suite):
    """2,000 nodes of one HTTP check each, every second one off."""
    answer = suite.http("")

    def serve(listener):
        while True:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.recv(4096)
                    connection.sendall(answer)
                except OSError:
                    pass
    listener = socket.create_server(("0.0.0.0", 90), backlog=4096)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    for words in ("link set void arp off", "route add local 10.79.0.0/16 dev lo", "route add 10.80.0.0/16 dev void"):
        subprocess.run(["ip", *words.split()], check=True)
    ips = [f"10.{79 + i % 2}.{i // 500}.{i // 2 % 250 + 1}" for i in range(2000)]
    nodes = "".join(f"  - {{name: n{i}, role: web, ip: {ip}}}\n" for i, ip in enumerate(ips))
    with tempfile.TemporaryDirectory(prefix="kiln-status-") as base:
        file = suite.small_profiles(base, "cluster: big\nrelease: lab\nnetworks: [{name: a, subnet: 10.79.0.0/16}, {name: b, subnet: 10.80.0.0/16}]\n"
                                    "nodes:\n" + nodes, {"web": "health: [{name: web, kind: http, port: 90}]"})
        taken = seconds_of(lambda: status(file))
    peer = seconds_of(lambda: curl(f"http://{ip}:90/" for ip in ips[:PEER_NODES])) * len(ips) / PEER_NODES
    return {"kiln status: 2,000 nodes, half of them off": taken, "peer: curl, 2,000 nodes, half of them off": peer}


if __name__ == "__main__":
    inside = load_suite()
    inside.enter_namespace()
    print(json.dumps({**many(inside), **ten(inside)}))
