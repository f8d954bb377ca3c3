# SPDX-License-Identifier: MIT
"""ZooKeeper's client protocol: a member for tests that need no real one, and what writes nodes to a real one."""
import contextlib
import socket
import struct

CONNECT_BYTES, CREATE, CHILDREN, DATA, CLOSE = 45, 1, 8, 4, -11
NO_NODE = -101


def begins_session(request):
    return len(request) == 4 + CONNECT_BYTES and request[:4] == struct.pack(">i", CONNECT_BYTES)


def text(data):
    return struct.pack(">i", len(data)) + data


record = text
EVERYBODY = struct.pack(">ii", 1, 31) + text(b"world") + text(b"anyone")


def read_record(connection):
    head = b""
    while len(head) < 4:
        part = connection.recv(4 - len(head))
        if not part:
            return None
        head += part
    size, data = struct.unpack(">i", head)[0], b""
    while len(data) < size:
        data += connection.recv(size - len(data))
    return data


def answer(question, nodes, zxid):
    """`nodes`: data by path; a parent needs none of its own to have children."""
    number, operation = struct.unpack(">ii", question[:8])
    path = question[12:-1].decode() if operation != CLOSE else ""
    head = struct.pack(">iqi", number, zxid, 0)
    if operation == CHILDREN:
        names = sorted({node[len(path.rstrip("/")) + 1:].split("/")[0] for node in nodes if node.startswith(path.rstrip("/") + "/")})
        if names:
            return head + struct.pack(">i", len(names)) + b"".join(text(name.encode()) for name in names[::-1])
    if operation == DATA and (path in nodes or path == "/"):
        return head + text(nodes.get(path, b"")) + bytes(68)
    if operation == CLOSE:
        return head
    return struct.pack(">iqi", number, zxid, NO_NODE)


def converse(connection, nodes, zxid=0x500000003):
    """After the request that begins a session."""
    with contextlib.suppress(OSError):
        connection.sendall(record(struct.pack(">iiq", 0, 4000, 0x10001) + text(bytes(16)) + b"\0"))
        while question := read_record(connection):
            connection.sendall(record(answer(question, nodes, zxid)))


def create_nodes(ip, nodes):
    """With their parents, on a member; those that are there stay as they are."""
    paths = dict(nodes)
    for path in nodes:
        while path := path.rsplit("/", 1)[0]:
            paths.setdefault(path, b"")
    with socket.create_connection((ip, 2181), timeout=20) as connection:
        connection.sendall(record(struct.pack(">iqiq", 0, 0, 4000, 0) + text(bytes(16)) + b"\0"))
        read_record(connection)
        for number, path in enumerate(sorted(paths), 1):
            connection.sendall(record(struct.pack(">ii", number, CREATE) + text(path.encode()) + text(paths[path]) + EVERYBODY + struct.pack(">i", 0)))
            read_record(connection)
        connection.sendall(record(struct.pack(">ii", len(paths) + 1, CLOSE)))
        read_record(connection)
