# SPDX-License-Identifier: MIT
"""What a machine's firmware says to a DHCP server (RFC 2131, PXE 2.1, RFC 4578), byte for byte, so that it can be wrong, too."""
import random
import socket
import struct
import time

MAGIC = b"\x63\x82\x53\x63"
ASKED = bytes([1, 3, 6, 12, 15, 28, 43, 60, 66, 67, 97, 128, 129, 150, 175])


def option(number, value):
    return bytes([number, len(value)]) + value


def mac_bytes(mac):
    return bytes(int(part, 16) for part in mac.split(":"))


def vendor(arch, name="PXEClient"):
    return option(60, f"{name}:Arch:{arch:05d}:UNDI:003016".encode())


def client(arch, name="PXEClient", ipxe=False, more=b""):
    """The options of a client of an architecture."""
    text = vendor(arch, name) + option(93, struct.pack("!H", arch)) + option(94, b"\x01\x03\x10") + option(97, b"\0" + bytes(range(16)))
    if ipxe:
        text += option(77, b"iPXE") + option(175, option(1, b"\x02"))
    return text + more


def packet(mac, kind, options, xid, server=None, wanted=None):
    head = struct.pack("!BBBBIHH4s4s4s4s", 1, 1, 6, 0, xid, 0, 0x8000, b"\0" * 4, b"\0" * 4, b"\0" * 4, b"\0" * 4)
    head += mac_bytes(mac).ljust(16, b"\0") + b"\0" * 192 + MAGIC + option(53, bytes([kind])) + option(55, ASKED)
    if wanted:
        head += option(50, socket.inet_aton(wanted)) + option(54, socket.inet_aton(server))
    return (head + options + b"\xff").ljust(300, b"\0")


def parse(data):
    """{"ip", "file", "next", option: bytes}"""
    found, at = {"ip": socket.inet_ntoa(data[16:20]), "next": socket.inet_ntoa(data[20:24]),
                 "file": data[108:236].split(b"\0")[0].decode()}, 240
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        found[data[at]] = data[at + 2:at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return found


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class Card:
    """A network card below IP, as firmware has it: no address, any MAC."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.socket.bind((interface, 0x0800))

    def send(self, data, port=67, mac="52:54:00:00:00:01"):
        udp = struct.pack("!HHHH", 68, port, 8 + len(data), 0) + data
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\0" * 4, b"\xff" * 4)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        self.socket.send(b"\xff" * 6 + mac_bytes(mac) + b"\x08\0" + head + udp)

    def receive(self, xid, seconds):
        """The next answer to a transaction, or None."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                frame = self.socket.recv(4096)
            except socket.timeout:
                return None
            data = frame[42:]
            is_answer = frame[23:24] == b"\x11" and frame[36:38] == struct.pack("!H", 68) and data[:1] == b"\x02"
            if is_answer and struct.unpack("!I", data[4:8])[0] == xid:
                return parse(data)
        return None

    def discover(self, mac, options, seconds=4):
        """An offer. Firmware asks again, and so does this."""
        xid, deadline = random.getrandbits(32), time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.send(packet(mac, 1, options, xid))
            if answer := self.receive(xid, min(1, left)):
                return answer
        return None

    def offers(self, mac, options, seconds=3):
        """All that answer to one DISCOVER within a time."""
        xid, deadline, found = random.getrandbits(32), time.monotonic() + seconds, []
        self.send(packet(mac, 1, options, xid))
        while answer := self.receive(xid, max(0.01, deadline - time.monotonic())):
            found.append(answer)
        return found

    def receive_that(self, xid, seconds, is_wanted):
        """The next answer to a transaction that is wanted, or None: a server beside the other one may be the first."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            answer = self.receive(xid, left)
            if answer is None or is_wanted(answer):
                return answer
        return None

    def lease(self, mac, options, seconds=4):
        """DISCOVER to ACK: the ACK, or None."""
        xid = random.getrandbits(32)
        self.send(packet(mac, 1, options, xid))
        offer = self.receive_that(xid, seconds, lambda answer: answer["ip"] != "0.0.0.0")
        if not offer:
            return None
        self.send(packet(mac, 3, options, xid, socket.inet_ntoa(offer[54]), offer["ip"]))
        return self.receive_that(xid, seconds, lambda answer: answer.get(53) == b"\x05" and answer["ip"] != "0.0.0.0")
