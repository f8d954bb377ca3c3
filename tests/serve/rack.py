# SPDX-License-Identifier: MIT
"""A rack to serve: an inventory, builds that were not made by kiln but look like it, kiln serve, and the cable between."""
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
KILN = os.environ.get("KILN", f"{TOP}/build/kiln")
ADDRESS, PORT = "10.0.0.1", 8080
LIMIT = 20
ROOT_BYTES = 20 << 20


def wait_for(what, condition, seconds=LIMIT):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def mac_of(index):
    return f"52:54:00:00:{index >> 8:02x}:{index & 255:02x}"


def ip_of(index):
    return f"10.0.{(index + 256) >> 8}.{(index + 256) & 255}"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(text if isinstance(text, bytes) else text.encode())


class Reply:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, dict(response.getheaders()), body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


class Rack:
    def __init__(self, base, nodes=10, more="", vip=None):
        self.base, self.out, self.state = base, f"{base}/out", f"{base}/state"
        self.cluster, self.nodes, self.more, self.vip = f"{base}/profiles/cluster.yaml", nodes, more, vip
        self.process, self.log_path, self.starts = None, f"{base}/log", 0
        for part in ("roles", "releases"):
            shutil.copytree(f"{TOP}/tests/cases/_shared/{part}", f"{base}/profiles/{part}")
        with open(f"{base}/profiles/releases/mini.yaml", encoding="utf-8") as stream:
            release = stream.read()
        write(f"{base}/profiles/releases/mini.yaml", release.replace("@TOP@", TOP))
        self.write_inventory()
        for path in (base, self.out):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)

    def write_inventory(self, extra=()):
        lines = ["cluster: rack", "release: mini", "networks:",
                 "  - {name: lan, subnet: 10.0.0.0/16, gateway: 10.0.0.254, dns: [10.0.0.253]" + self.more + "}"]
        lines += ["vips:", f"  - {{name: web, role: mini, ip: {self.vip}, vrrp_id: 7}}"] if self.vip else []
        lines.append("nodes:")
        lines += [f'  - {{name: n{i}, role: mini, mac: "{mac_of(i)}", ip: {ip_of(i)}}}' for i in range(self.nodes)]
        write(self.cluster + ".new", "\n".join([*lines, *extra]) + "\n")
        os.rename(self.cluster + ".new", self.cluster)

    def build(self, build_id, root=b"root", loaders=("undionly.kpxe", "ipxe.efi", "pxelinux.0"), current=True):
        """Publishes a build each of whose files says which one it is of."""
        place, sums = f"{self.out}/rack/{build_id}", []
        files = {f"pxe/{name}": f"{name} of {build_id}\n" * 100 for name in (*loaders, "boot.ipxe")}
        files |= {f"pxe/mac/{mac_of(i).replace(':', '-')}.ipxe": f"entry of {build_id}\n" for i in range(min(self.nodes, 50))}
        for name in ("vmlinuz", "initrd.img", "config.cpio"):
            files[f"pxe/images/mini/{name}"] = f"{name} of {build_id}\n" * 10
        files["pxe/images/mini/rootfs.squashfs"] = root
        files["mini/rootfs.squashfs"] = root
        files["manifest.json"] = f'{{\n"build": "{build_id}",\n"release": "mini",\n"x": 1}}\n'
        for name, text in files.items():
            write(f"{place}/{name}", text)
            data = text if isinstance(text, bytes) else text.encode()
            sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
        write(f"{place}/SHA256SUMS", "".join(sorted(sums, key=lambda line: line[66:])))
        if current:
            self.publish(build_id)
        return place

    def publish(self, build_id):
        link = f"{self.out}/rack/current"
        if os.path.lexists(link + ".new"):
            os.unlink(link + ".new")
        os.symlink(build_id, link + ".new")
        os.rename(link + ".new", link)

    # ---- kiln ----

    def kiln(self, *arguments, user=None):
        command = [KILN, *arguments]
        if user:
            command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all", *command]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)

    def serve(self, *options, wait=True, command=()):
        """`command` stands before it, such as one that holds it to a core."""
        self.starts += 1
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*command, KILN, "serve", self.cluster, "--out", self.out, "--state", self.state, "--verbose",
                                             *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            wait_for("kiln serve answers", self.answers)
        return self.process

    def answers(self):
        assert self.process.poll() is None, f"kiln serve has ended with {self.process.returncode}:\n{self.log()[-2000:]}"
        try:
            return self.get("/metrics").status == 200
        except OSError:
            return False

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            return self.process.wait(LIMIT)
        return self.process and self.process.returncode

    # ---- HTTP ----

    def request(self, method, url, body=None, headers=None, source=None):
        """POSTs are JSON, as kiln-node's are, unless `headers` say otherwise."""
        headers = {**({"Content-Type": "application/json"} if method == "POST" else {}), **(headers or {})}
        connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=LIMIT, source_address=source and (source, 0))
        try:
            connection.putrequest(method, url, skip_accept_encoding=True, skip_host="Host" in headers)
            for name, value in {**headers, **({"Content-Length": str(len(body))} if body is not None else {})}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return Reply(response, response.read())
        finally:
            connection.close()

    def get(self, url, headers=None, source=None):
        return self.request("GET", url, None, headers, source)

    def report(self, source=None, **values):
        body = json.dumps({"version": 1, **values}).encode()
        return self.request("POST", "/report", body, source=source)

    def machine(self, **query):
        reply = self.get("/api/machine?" + urllib.parse.urlencode(query))
        return reply.json if reply.status == 200 else None

    def raw(self, data, seconds=5):
        """What comes back for bytes that need be no HTTP."""
        with socket.create_connection((ADDRESS, PORT), timeout=seconds) as connection:
            got = b""
            try:
                connection.sendall(data)  # the server may hang up before it has all of it
                while part := connection.recv(65536):
                    got += part
            except (socket.timeout, ConnectionError):
                pass
            return got
