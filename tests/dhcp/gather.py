#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: gather.py INTERFACE INTERFACE SERVER...

A cable that keeps DHCP offers back until there is one of every SERVER, and then hands them over in the order of the
arguments, one right after the other: so a client has a choice, however slow a server is on a busy machine. All other
frames pass at once, and after that offers too.
"""
import socket
import sys

import internet
from cable import PACKET_OUTGOING, open_ends, wait_for_frames

OFFER = 2


class Gathering:
    def __init__(self, servers):
        self.servers, self.offers, self.done = servers, {}, False

    def pass_on(self, frame):
        """The frames that go on now."""
        if self.done or internet.message_type(frame) != OFFER:
            return [frame]
        self.offers[socket.inet_ntoa(frame[26:30])] = frame
        if not all(server in self.offers for server in self.servers):
            return []
        self.done = True
        return [self.offers[server] for server in self.servers]


def main():
    near, far = ends = open_ends(sys.argv[1:3])
    gathering = Gathering(sys.argv[3:])
    print("cable is up", flush=True)
    while True:
        for end in wait_for_frames(ends, None):
            frame, (_, _, kind, _, _) = end.recvfrom(2048)
            if kind == PACKET_OUTGOING:
                continue
            other = near if end is far else far
            for ready in gathering.pass_on(frame):
                other.send(internet.seal(ready))


if __name__ == "__main__":
    main()
