#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: cable.py INTERFACE INTERFACE DELAY_MS JITTER_MS LOSS DUPLICATE SEED

A bad cable between two interfaces: every frame is late by DELAY_MS and up to JITTER_MS more, so that frames overtake each
other, or lost, or there twice, with the chances LOSS and DUPLICATE of 0..1. What `tc netem` does, for kernels without it.
"""
import heapq
import random
import select
import socket
import sys
import time

from internet import seal

PACKET_OUTGOING = 4


def open_ends(names):
    """A packet socket on each interface."""
    ends = []
    for name in names:
        ends.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
        ends[-1].bind((name, 0))
    return ends


def wait_for_frames(ends, seconds):
    """The ends that have a frame; None waits for ever."""
    return select.select(ends, [], [], seconds)[0]


def main():
    ends = open_ends(sys.argv[1:3])
    delay, jitter, loss, duplicate = (float(text) for text in sys.argv[3:7])
    chance = random.Random(int(sys.argv[7]))
    late, count = [], 0
    print("cable is up", flush=True)
    while True:
        wait = max(0, late[0][0] - time.monotonic()) if late else None
        for end in wait_for_frames(ends, wait):
            frame, (_, _, kind, _, _) = end.recvfrom(2048)
            if kind == PACKET_OUTGOING or chance.random() < loss:
                continue
            for _ in range(2 if chance.random() < duplicate else 1):
                count += 1
                due = time.monotonic() + (delay + jitter * chance.random()) / 1000
                heapq.heappush(late, (due, count, ends[end is ends[0]], seal(frame)))
        while late and late[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(late)
            end.send(frame)


if __name__ == "__main__":
    main()
