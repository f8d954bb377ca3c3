# SPDX-License-Identifier: MIT
"""What the raw frames of these tests need."""
import struct


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp_start(frame):
    """Where the UDP header of an Ethernet frame begins, or None."""
    if len(frame) < 42 or frame[12:14] != b"\x08\0" or frame[23] != 17:
        return None
    return 14 + (frame[14] & 15) * 4


def seal(frame):
    """Fills in the UDP checksum, which a veth's sender leaves to a card."""
    start = udp_start(frame)
    if start is None:
        return frame
    size = struct.unpack("!H", frame[start + 4:start + 6])[0]
    udp = frame[start:start + size]
    udp = udp[:6] + b"\0\0" + udp[8:]
    right = checksum(frame[26:34] + struct.pack("!BBH", 0, 17, size) + udp) or 0xffff
    return frame[:start + 6] + struct.pack("!H", right) + frame[start + 8:]


def message_type(frame):
    """DHCP's (option 53) of an Ethernet frame; 0 for any other frame."""
    start = udp_start(frame)
    if start is None or frame[start:start + 4] not in (b"\0\x43\0\x44", b"\0\x44\0\x43"):
        return 0
    message = frame[start + 8:]
    at = 240
    while at + 2 < len(message) and message[at] != 255:
        if message[at] == 53:
            return message[at + 2]
        at += 2 + message[at + 1] if message[at] else 1
    return 0
