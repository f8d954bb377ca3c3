#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: hostile.py INTERFACE BEHAVIOUR

A DHCP server of raw frames that does what no real one would. Each right answer (192.168.2.150 from 192.168.2.1, host
name "right") comes after the wrong ones of the behaviour, which offer 192.168.2.66 and the host name "wrong".
"""
import random
import socket
import struct
import sys

from internet import checksum

DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
ETHERNET_BROADCAST = b"\xff" * 6
RIGHT, WRONG, SERVER, OTHER_SERVER = (socket.inet_aton(text) for text in
                                      ("192.168.2.150", "192.168.2.66", "192.168.2.1", "192.168.2.2"))


def option(code, data):
    return bytes([code, len(data)]) + data


class Message:
    """An answer to a request; every part can be changed before it is put together."""

    def __init__(self, request, kind, address, name, server=SERVER):
        self.head = bytearray(struct.pack("!BBBBIHH4s4s4s4s6s10x", 2, 1, 6, 0, request.xid, 0, 0, b"\0" * 4,
                                          b"\0" * 4 if kind == NAK else address, server, b"\0" * 4, request.mac))
        self.head += b"\0" * 192
        self.cookie = b"\x63\x82\x53\x63"
        self.options = option(53, bytes([kind])) + option(54, server)
        if kind != NAK:
            self.options += option(51, struct.pack("!I", 3600)) + option(1, b"\xff\xff\xff\0") + option(12, name)
        self.end = b"\xff"
        self.source_port, self.target_port, self.protocol = 67, 68, 17
        self.fragment, self.ttl, self.version = 0, 64, 0x45
        self.udp_checksum = self.ip_checksum = None
        self.total = self.udp_size = None
        self.cut = None

    def packet(self):
        payload = bytes(self.head) + self.cookie + self.options + self.end
        udp_size = self.udp_size if self.udp_size is not None else len(payload) + 8
        udp = struct.pack("!HHHH", self.source_port, self.target_port, udp_size, 0) + payload
        pseudo = SERVER + b"\xff" * 4 + struct.pack("!BBH", 0, 17, udp_size)
        right = checksum(pseudo + udp) or 0xffff
        udp = udp[:6] + struct.pack("!H", right if self.udp_checksum is None else self.udp_checksum) + udp[8:]
        total = self.total if self.total is not None else len(udp) + 20
        ip = struct.pack("!BBHHHBBH4s4s", self.version, 0, total, 1, self.fragment, self.ttl, self.protocol, 0, SERVER,
                         b"\xff" * 4)
        right = checksum(ip)
        ip = ip[:10] + struct.pack("!H", right if self.ip_checksum is None else self.ip_checksum) + ip[12:]
        return (ip + udp)[:self.cut]


class Request:
    def __init__(self, message):
        self.xid, self.mac = struct.unpack("!I", message[4:8])[0], message[28:34]
        at, self.kind = 240, 0
        while at + 1 < len(message) and message[at] != 255:
            if message[at] == 53:
                self.kind = message[at + 2]
            at += 2 + message[at + 1] if message[at] else 1


def changed(make, **parts):
    message = make()
    for name, value in parts.items():
        setattr(message, name, value)
    return message


def with_head(make, offset, data):
    message = make()
    message.head[offset:offset + len(data)] = data
    return message


def with_option(make, data):
    message = make()
    message.options += data
    return message


def malformed(request, kind):
    """Answers that must not be taken."""
    make = lambda: Message(request, kind, WRONG, b"wrong")  # noqa: E731
    parts = [{"source_port": 68}, {"target_port": 67}, {"protocol": 6}, {"fragment": 0x2000}, {"fragment": 1},
             {"version": 0x44}, {"version": 0x65}, {"udp_checksum": 1}, {"ip_checksum": 1}, {"total": 60}, {"total": 9000},
             {"udp_size": 7}, {"udp_size": 9000}, {"cut": 200}, {"cut": 27}, {"cookie": b"\x63\x82\x53\x62"},
             {"cookie": b""}, {"end": b"\x0c"}, {"end": b"\x0c\xff"}, {"options": b""},
             {"options": option(53, bytes([kind]))}, {"options": option(54, SERVER)},
             {"options": option(53, b"\x01") + option(54, SERVER)}, {"options": option(53, b"\x07") + option(54, SERVER)},
             {"options": option(53, bytes([kind])) + option(54, b"\0\0\0\0")},
             {"options": option(53, bytes([kind])) + option(54, SERVER[:3])}]
    for part in parts:
        yield changed(make, **part)
    heads = [(0, b"\x01"), (1, b"\x06"), (2, b"\x10"), (4, bytes([request.xid >> 24 ^ 1])), (28, bytes([request.mac[0] ^ 2])),
             (16, b"\0\0\0\0"), (16, b"\x7f\0\0\1"), (16, b"\xe0\0\0\1"), (16, b"\xff\xff\xff\xff"),
             (16, b"\xc0\xa8\x02\x00"), (16, b"\xc0\xa8\x02\xff")]
    for offset, data in heads:
        yield with_head(make, offset, data)
    for data in (option(1, b"\xff\0\xff\0"), option(1, b"\xff\xff"), option(53, b"\x07"), option(52, b""),
                 option(52, b"\1\2"), b"\x0c\xc8"):
        yield with_option(make, data)
    overloaded = with_option(make, option(52, b"\x03"))
    overloaded.head[44:236] = b"\x0c" * 192  # options that run over the end of `sname` and `file`
    overloaded.head[108 + 126:108 + 128] = b"\x0c\xc8"
    yield overloaded
    for size in (0, 1, 19, 20, 28, 100, 300, 1400):
        noise = make()
        noise.packet = lambda size=size: random.Random(size).randbytes(size)
        yield noise


class Hostile:
    def __init__(self, interface, behaviour):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.socket.bind((interface, 0))
        self.mac = self.socket.getsockname()[4]
        self.behaviour, self.requests = getattr(self, behaviour), 0

    def send(self, message, tag=b"", target=ETHERNET_BROADCAST):
        self.socket.send(target + self.mac + tag + b"\x08\x00" + message.packet())

    def right(self, request, kind):
        self.send(Message(request, kind, RIGHT, b"right"))

    def malformed(self, request, kind):
        for message in malformed(request, kind):
            self.send(message)
        self.right(request, kind)

    def strange_frames(self, request, kind):
        """Well-formed answers in another VLAN, and to another station."""
        wrong = Message(request, kind, WRONG, b"wrong")
        self.send(wrong, tag=struct.pack("!HH", 0x8100, 7))
        self.send(wrong, tag=struct.pack("!HHHH", 0x8100, 7, 0x8100, 8))
        self.send(wrong, target=b"\x02\0\0\0\0\x05")
        self.right(request, kind)

    def nak_once(self, request, kind):
        self.requests += kind == ACK
        if kind == ACK and self.requests == 1:
            kind = NAK
        self.right(request, kind)

    def nak_of_another(self, request, kind):
        """A NAK and an ACK from a server that was not asked."""
        if kind == ACK:
            self.send(Message(request, NAK, RIGHT, b"", server=OTHER_SERVER))
            self.send(Message(request, ACK, WRONG, b"wrong", server=OTHER_SERVER))
            self.send(Message(request, ACK, WRONG, b"wrong"))  # the one that was asked, but another address
        self.right(request, kind)

    def nak_always(self, request, kind):
        self.right(request, NAK if kind == ACK else kind)

    def mute_after_offer(self, request, kind):
        """Never acknowledges what it offers."""
        if kind == OFFER:
            self.right(request, kind)

    def strange_options(self, request, kind):
        """A good answer whose optional options are nonsense: taken, without them."""
        message = Message(request, kind, RIGHT, b"right")
        message.options += option(3, socket.inet_aton("10.9.9.9")) + option(6, b"\x7f\0\0\1\0\0\0\0\x08\x08")
        message.options += option(15, b"a\1b c/d e\n") + option(26, b"\0\x10") + option(81, b"\x04\0\0\x05ab")
        message.options += option(119, b"\x01a\xc0\x00\xc0\x02") + option(121, b"\x21\1\2\3\4\5\6\7\x08")
        message.options += option(224, b"../x") + option(225, b"a/b") + option(226, b"\0\0\1\0") + option(82, b"\1\1x")
        message.options += option(43, b"\x01\xff")
        self.send(message)

    def run(self):
        print("DHCP, hostile", flush=True)
        while True:
            frame = self.socket.recv(2000)
            if frame[23] != 17 or frame[34:38] != b"\0\x44\0\x43" or len(frame) < 42 + 240:
                continue
            request = Request(frame[42:])
            print(f"message {request.kind} of exchange {request.xid:08x}", flush=True)
            if request.kind in (DISCOVER, REQUEST):
                self.behaviour(request, OFFER if request.kind == DISCOVER else ACK)


if __name__ == "__main__":
    Hostile(sys.argv[1], sys.argv[2]).run()
