# SPDX-License-Identifier: MIT
"""Headless Chromium by its DevTools protocol (a WebSocket, RFC 6455), as far as asking and pressing things in a page needs it."""
import contextlib
import http.client
import json
import os
import re
import socket
import struct
import subprocess
import time


def receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("Chromium has hung up")
        data += part
    return data


class Tab:
    """The one that is seen, in which pages are drawn: evaluate() runs an expression in its page."""

    def __init__(self, port):
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        asked.request("GET", "/json/list")
        address = next(each for each in json.loads(asked.getresponse().read()) if each["type"] == "page")["webSocketDebuggerUrl"]
        self.connection, self.number = socket.create_connection(("127.0.0.1", port), timeout=30), 0
        self.connection.sendall(f"GET {address.split(str(port), 1)[1]} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += receive(self.connection, 1)

    def call(self, method, **parameters):
        self.number += 1
        data = json.dumps({"id": self.number, "method": method, "params": parameters}).encode()
        self.connection.sendall(b"\x81\xfe" + struct.pack("!H", len(data)) + b"\0\0\0\0" + data)  # masked, with zeros
        while True:
            _, size = receive(self.connection, 2)
            if size == 126:
                size = struct.unpack("!H", receive(self.connection, 2))[0]
            elif size == 127:
                size = struct.unpack("!Q", receive(self.connection, 8))[0]
            answer = json.loads(receive(self.connection, size))
            if answer.get("id") == self.number:
                return answer.get("result", {})

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")


@contextlib.contextmanager
def browser(program, profile):
    """The port of a Chromium that was started."""
    process = subprocess.Popen([program, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
                                "--remote-debugging-port=0", "about:blank"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        deadline, path = time.monotonic() + 60, f"{profile}/DevToolsActivePort"
        while not os.path.exists(path) or not (found := re.match(r"(\d+)\n", open(path, encoding="ascii").read())):
            assert time.monotonic() < deadline, "Chromium does not start"
            time.sleep(0.1)
        yield int(found.group(1))
    finally:
        process.terminate()
        process.wait()
