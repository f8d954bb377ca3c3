# SPDX-License-Identifier: MIT
"""A registry of the OCI distribution specification in memory, which misbehaves on demand."""
import base64
import contextlib
import hashlib
import http.server
import json
import re
import threading
import urllib.parse

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code="NO"):
        self.close_connection = True  # what was not read of the request is none
        self.answer(status, json.dumps({"errors": [{"code": code, "message": f"{code}\x1b[31m for you"}]}).encode(),
                    [("Connection", "close")])

    def cut(self):
        """The connection is lost."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_one(self):
        server, (path, _, query) = self.server, self.path.partition("?")
        with server.lock:
            server.asked.append((self.command, self.path, dict(self.headers)))
            fault = server.fault(self) if server.fault else None
        if fault:
            return fault(self)
        query = dict(urllib.parse.parse_qsl(query))
        if path == "/token":
            return self.give_token(query)
        if server.secured and not self.is_allowed():
            self.body()  # else it would be read as the next request of the connection
            challenge = f'Bearer realm="{server.url}/token",service="scripted",scope="repository:x:pull,push"'
            return self.answer(401, b"{}", [("WWW-Authenticate", "Basic realm=\"x\"" if server.secured == "basic" else challenge)])
        if found := re.fullmatch(r"/v2/(.+)/blobs/uploads/([0-9a-z]*)", path):
            return self.upload(found[1], found[2], query)
        if found := re.fullmatch(r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})", path):
            return self.blob(found[1], found[2])
        if found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
            return self.manifest(found[1], found[2])
        return self.error(404)

    do_GET = do_PUT = do_HEAD = do_POST = do_PATCH = handle_one

    # ---- who ----

    def is_allowed(self):
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if self.server.secured == "basic":
            return kind == "Basic" and base64.b64decode(value) == b"someone:secret"
        with self.server.lock:
            left = self.server.tokens.get(value, 0) if kind == "Bearer" else 0
            if left:
                self.server.tokens[value] = left - 1
        return left > 0

    def give_token(self, query):
        form = dict(urllib.parse.parse_qsl(self.body().decode()))
        basic = self.headers.get("Authorization", "") == "Basic " + base64.b64encode(b"someone:secret").decode()
        known = basic or form.get("refresh_token") == "identity"
        if not known or not (query or form).get("scope"):
            return self.error(401, "UNAUTHORIZED")
        with self.server.lock:
            token = f"token{len(self.server.tokens)}"
            self.server.tokens[token] = self.server.token_uses
        return self.answer(200, json.dumps({"token": token}).encode())

    # ---- contents ----

    def blob(self, repository, digest):
        server = self.server
        data = server.blobs.get((repository, digest))
        if data is None:
            return self.error(404, "BLOB_UNKNOWN")
        if server.elsewhere and self.command == "GET":
            self.body()
            return self.answer(307, b"", [("Location", f"{server.elsewhere.url}/v2/{repository}/blobs/{digest}")])
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found and server.ranges:
            start = int(found[1])
            return self.answer(206, data[start:], [("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")])
        return self.answer(200, data)

    def upload(self, repository, session, query):
        server, body = self.server, b""
        if self.command == "PUT" and not session.startswith("p") and int(self.headers["Content-Length"]) > server.largest:
            return self.error(server.too_large, "SIZE")
        if self.command == "PATCH" and int(self.headers["Content-Length"]) > server.largest:
            return self.error(413, "SIZE")
        body = self.body()
        if self.command == "POST":
            origin = (query.get("from"), query.get("mount"))
            if origin in server.blobs:
                server.blobs[repository, origin[1]] = server.blobs[origin]
                return self.answer(201, b"", [("Location", f"/v2/{repository}/blobs/{origin[1]}")])
            with server.lock:
                session = f"s{len(server.sessions)}"
                server.sessions[session] = b""
            return self.answer(202, b"", self.where(repository, session))
        if session not in server.sessions:
            return self.error(404, "BLOB_UPLOAD_UNKNOWN")
        if self.command == "GET":
            return self.answer(204, b"", self.where(repository, session))
        if self.command == "PATCH":
            start, _, last = self.headers["Content-Range"].partition("-")
            if int(start) != len(server.sessions[session]) or int(last) - int(start) + 1 != len(body):
                return self.answer(416, b"", self.where(repository, session))
        server.sessions[session] += body
        if self.command == "PATCH":
            return self.answer(202, b"", self.where(repository, session))
        data = server.sessions.pop(session)
        if digest_of(data) != query["digest"]:
            return self.error(400, "DIGEST_INVALID")
        server.blobs[repository, query["digest"]] = data
        return self.answer(201, b"", [("Location", f"/v2/{repository}/blobs/{query['digest']}")])

    def where(self, repository, session):
        return [("Location", f"/v2/{repository}/blobs/uploads/{session}?state=x"),
                ("Range", f"0-{max(len(self.server.sessions[session]) - 1, 0)}")]

    def manifest(self, repository, name):
        server = self.server
        if self.command == "PUT":
            body = self.body()
            kind, manifest = self.headers["Content-Type"], json.loads(body)
            missing = [layer["digest"] for layer in [*manifest.get("layers", []), *([manifest["config"]] if "config" in manifest else [])]
                       if (repository, layer["digest"]) not in server.blobs]
            if missing or manifest["mediaType"] != kind:
                return self.error(400, "MANIFEST_BLOB_UNKNOWN")
            for key in (name, digest_of(body)):
                server.manifests[repository, key] = body
            subject = manifest.get("subject", {}).get("digest")
            return self.answer(201, b"", [("OCI-Subject", subject)] if subject and server.lists_referrers else [])
        body = server.manifests.get((repository, name))
        if body is None:
            return self.error(404, "MANIFEST_UNKNOWN")
        return self.answer(200, body, [("Content-Type", json.loads(body)["mediaType"] if body[:1] == b"{" else MANIFEST)])


class Registry(http.server.ThreadingHTTPServer):
    """`fault` sees each request, and may return a function that answers it instead."""
    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        self.blobs, self.manifests, self.sessions, self.tokens, self.asked = {}, {}, {}, {}, []
        self.fault, self.secured, self.token_uses, self.elsewhere = None, None, 1 << 30, None
        self.ranges, self.largest, self.too_large, self.lists_referrers = True, 1 << 40, 413, False
        self.lock = threading.RLock()
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass

    def close(self):
        self.shutdown()
        self.server_close()

    def of(self, *commands):
        return [(command, path, headers) for command, path, headers in self.asked if command in commands]

    def forget(self):
        self.asked.clear()
