# SPDX-License-Identifier: MIT
"""An HTTP server that misbehaves by plan, one step a request; and the node.json that a machine needs to use it."""
import hashlib
import http.server
import json
import socket
import struct
import threading
import time

from machine import directory, regular

CHUNK = 65536


def node_json(timeout_ms=20000, **more):
    """The files of a configuration layer with which `kiln-node network` asks DHCP and takes what it gets."""
    node = {"format": 1, "cluster": "test", "role": "tiny", "build": "b", "release": "lab",
            "network_writer": "systemd-networkd", "ensemble": False, "strangers": True,
            "networks": [{"name": "lan", "subnet": "10.0.2.0/24", "prefix": 24, "netmask": "255.255.255.0",
                          "gateway": "10.0.2.2", "dns": []}],
            "vips": [], "nodes": [], "hosts": "", "templates": [], "cluster_services": [], "state": [],
            "dhcp_timeout_ms": timeout_ms, "carrier_timeout_ms": timeout_ms,
            "device_timeout_ms": timeout_ms, "arp_check": False,
            "dhcp_client_id": "mac", "dhcp_options": {}, "reserve": {"memory_mb": 0, "cpus": 0}, "report_url": "", **more}
    return [directory("etc/kiln"), regular("etc/kiln/node.json", json.dumps(node), 0o600)]


def index_of(content):
    """rootfs.chunks of a file that is cut into equal pieces: casync's index (builder/shared/chunk_index.h)."""
    ends = [min(at + CHUNK, len(content)) for at in range(0, len(content), CHUNK)]
    items = b"".join(struct.pack("<Q", end) + hashlib.sha256(content[at:end]).digest() for at, end in zip([0, *ends], ends))
    return (struct.pack("<8Q", 48, 0x96824d9c7b129ff9, 0, 16384, 65536, 262144, 2**64 - 1, 0xe75b9e112f17417d) + items +
            struct.pack("<5Q", 0, 0, 48, 16 + len(items) + 40, 0x4b4f050e5549ecd1))


class Server:
    """Serves `content` under every path, or a dictionary by the path's last part. `plan`: what to do with each request;
    its last step serves all that follow."""

    def __init__(self, content, plan=("serve",), address="127.0.0.1", port=0):
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

        class Listener(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.server = Listener((address, port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler):
        self.requests.append({**dict(handler.headers), "path": handler.path, "at": time.monotonic()})
        step = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        if isinstance(self.content, dict) and handler.path.rpartition("/")[2] not in self.content:
            step = "404"
        try:
            getattr(self, "do_" + step, self.do_status)(handler, step)
        except OSError:
            pass  # the client has had enough
        handler.close_connection = True

    def whole(self, handler):
        """The file that was asked for."""
        return self.content[handler.path.rpartition("/")[2]] if isinstance(self.content, dict) else self.content

    def part(self, handler, beyond=False):
        """The body of what was asked for, after its status and headers. `beyond`: more than was asked for."""
        content = self.whole(handler)
        wanted = handler.headers.get("Range")
        if not wanted:
            handler.send_response(200)
            return content
        first, _, last = wanted.split("=")[1].partition("-")
        end = min(int(last) + 1, len(content)) if last and not beyond else len(content)
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(content)}")
        return content[int(first):end]

    def send(self, handler, body, upto=None):
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:upto])

    def do_serve(self, handler, _):
        self.send(handler, self.part(handler))

    def do_beyond(self, handler, _):
        """To the end of the file, whatever was asked for."""
        self.send(handler, self.part(handler, beyond=True))

    def do_lie(self, handler, _):
        """The part before the one that was asked for, under its name."""
        content = self.whole(handler)
        first, _, last = handler.headers["Range"].split("=")[1].partition("-")
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send(handler, content[:int(last) + 1 - int(first)])

    def do_larger(self, handler, _):
        """A part of a file that is larger."""
        content = self.whole(handler)
        first, _, last = handler.headers["Range"].split("=")[1].partition("-")
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(content) + 1}")
        self.send(handler, content[int(first):int(last) + 1])

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

    def do_whole(self, handler, _):
        """Knows no ranges."""
        handler.send_response(200)
        self.send(handler, self.whole(handler))

    def do_other(self, handler, _):
        """Another file of the same length."""
        handler.send_response(200)
        self.send(handler, bytes(len(self.whole(handler))))

    def do_short(self, handler, _):
        handler.send_response(200)
        self.send(handler, self.content[:-1])

    def do_endless(self, handler, _):
        """No length, and more than there should be."""
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(self.content + b"more")

    def do_early(self, handler, _):
        """No length, and less."""
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(self.content[:-7])

    def do_chunked(self, handler, _):
        body = self.part(handler)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for at in range(0, len(body), 70001):
            piece = body[at:at + 70001]
            handler.wfile.write(b"%x;name=value\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\nTrailer: x\r\n\r\n")

    def do_bad_chunk(self, handler, _):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nhello\r\n-1\r\nxxx")

    def do_wrong_part(self, handler, _):
        handler.send_response(206)
        content = self.whole(handler)
        handler.send_header("Content-Range", f"bytes 1-{len(content) - 1}/{len(content)}")
        self.send(handler, content[1:])

    def do_moved(self, handler, _):
        handler.send_response(302)
        handler.send_header("Location", "/elsewhere/again?x=1")
        self.send(handler, b"")

    def do_to_tls(self, handler, _):
        handler.send_response(301)
        handler.send_header("Location", "https://127.0.0.1/")
        self.send(handler, b"")

    def do_encoded(self, handler, _):
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        self.send(handler, self.content)

    def do_continue(self, handler, _):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        self.do_serve(handler, _)

    def do_garbage(self, handler, _):
        handler.wfile.write(bytes(range(256)) * 8 + b"\r\n\r\n")

    def do_long_head(self, handler, _):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 70000 + b"\r\n\r\n")

    def do_nothing(self, handler, _):
        pass

    def do_drip(self, handler, _):
        """In small pieces, but moving."""
        body = self.part(handler)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for at in range(0, len(body), len(body) // 12 + 1):
            handler.wfile.write(body[at:at + len(body) // 12 + 1])
            handler.wfile.flush()
            time.sleep(0.25)

    def do_other_end(self, handler, _):
        """Goes on with another file."""
        self.send(handler, bytes(len(self.part(handler))))

    def do_rot(self, handler, _):
        """Wrong bytes, and the end of the connection inside of a chunk."""
        body = self.part(handler)
        self.send(handler, bytes(len(body)), min(len(body), CHUNK) // 2)

    def do_trickle(self, handler, _):
        """A byte now and then, for ever, as far as a client can tell."""
        body = self.part(handler)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for at in range(min(len(body), 2000)):
            handler.wfile.write(body[at:at + 1])
            handler.wfile.flush()
            time.sleep(0.05)

    def do_shrunk(self, handler, _):
        """A file that is shorter there, without saying so."""
        if int((handler.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0]) >= len(self.content) // 2:
            return self.do_status(handler, "416")
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(self.content[:len(self.content) // 2])

    def do_broken_other(self, handler, _):
        """Another file of the same length, whose connection breaks once in each download."""
        first = int((handler.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        if first == 0:
            handler.send_response(200)
            return self.send(handler, bytes(len(self.content)), len(self.content) // 3)
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}")
        self.send(handler, bytes(len(self.content) - first))

    def do_busy(self, handler, _):
        handler.send_response(503)
        handler.send_header("Retry-After", "4")
        self.send(handler, b"later\n")

    def do_busy_till(self, handler, _):
        """By a clock that the client need not have."""
        handler.send_response(503)
        handler.send_header("Retry-After", "Fri, 31 Dec 2027 23:59:59 GMT")
        self.send(handler, b"later\n")

    def do_up(self, handler, _):
        """Moved, by a path with dots."""
        handler.send_response(302)
        handler.send_header("Location", "../other/./root.squashfs")
        self.send(handler, b"")

    def do_status(self, handler, step):
        handler.send_response(int(step))
        self.send(handler, b"no\n")
