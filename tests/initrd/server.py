"""An HTTP server that misbehaves by plan, one step a request; and the node.json that a machine needs to use it."""
import http.server
import json
import socket
import struct
import threading

from machine import directory, regular


def node_json(timeout_ms=20000):
    """The files of a configuration layer with which `kiln-node network` asks DHCP and takes what it gets."""
    node = {"format": 1, "cluster": "test", "role": "tiny", "build": "b", "release": "lab",
            "network_writer": "systemd-networkd", "ensemble": False, "strangers": True,
            "networks": [{"name": "lan", "subnet": "10.0.2.0/24", "prefix": 24, "netmask": "255.255.255.0",
                          "gateway": "10.0.2.2", "dns": []}],
            "vips": [], "nodes": [], "hosts": "", "templates": [], "cluster_services": [], "state": [],
            "dhcp_timeout_ms": timeout_ms, "carrier_timeout_ms": timeout_ms, "arp_check": False,
            "dhcp_client_id": "mac", "dhcp_options": {}, "reserve": {"memory_mb": 0, "cpus": 0}, "report_url": ""}
    return [directory("etc/kiln"), regular("etc/kiln/node.json", json.dumps(node), 0o600)]


class Server:
    """Serves `content` under every path. `plan`: what to do with each request; its last step serves all that follow."""

    def __init__(self, content, plan=("serve",), address="127.0.0.1"):
        self.content, self.plan, self.requests, self.bodies = content, list(plan), [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802 the base class asks for this name
                outer.answer(self)

            def do_POST(self):  # noqa: N802
                outer.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                outer.answer(self)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler):
        self.requests.append(dict(handler.headers))
        step = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        getattr(self, "do_" + step, self.do_status)(handler, step)
        handler.close_connection = True

    def part(self, handler):
        """(first byte, headers, body) of what was asked for."""
        wanted = handler.headers.get("Range")
        first = int(wanted.split("=")[1].split("-")[0]) if wanted else 0
        body = self.content[first:]
        if wanted:
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}")
        else:
            handler.send_response(200)
        return body

    def send(self, handler, body, upto=None):
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:upto])

    def do_serve(self, handler, _):
        self.send(handler, self.part(handler))

    def do_cut(self, handler, _):
        """The connection ends properly, after a third."""
        body = self.part(handler)
        self.send(handler, body, len(body) // 3)

    def do_reset(self, handler, _):
        body = self.part(handler)
        self.send(handler, body, len(body) // 3)
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    def do_status(self, handler, step):
        handler.send_response(int(step))
        self.send(handler, b"no\n")
