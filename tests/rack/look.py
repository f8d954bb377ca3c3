#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: look.py get URL [BODY] | words ADDRESS WORD | owners ADDRESS | ask URL FILE

Looks at a cluster from inside of a rack's network, apart from kiln: `kiln rack run -- tests/rack/look.py ...`.
get    prints {"status", "text"} of an HTTP answer (status 0: none); with a body it is a POST of JSON
words  prints ZooKeeper's answer to a four-letter word
owners prints the MAC addresses that answer ARP for an address
ask    asks for the URL ten times a second until FILE is gone; prints {"asked", "lost", "gap_s"}: the longest time without
       an answer
"""
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True

from cluster_access import four_letters  # noqa: E402

ETHERTYPE_ARP = 0x0806
ASK_EVERY_S, ASK_PATIENCE_S = 0.5, 3.0  # machines that are emulated take 20 ms of a processor for an answer


def rest_of(answer):
    try:
        return answer.read().decode(errors="replace")
    except OSError as error:
        return str(error)


def get(url, body=None, timeout=10):
    request = urllib.request.Request(url, data=body.encode() if body else None)
    if body:
        request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return {"status": answer.status, "text": answer.read().decode(errors="replace")}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": rest_of(error)}
    except (OSError, ValueError) as error:
        return {"status": 0, "text": str(error)}


def owners(address):
    route = subprocess.run(["ip", "-4", "-o", "route", "get", address], stdout=subprocess.PIPE, text=True, check=True).stdout
    interface = route.split(" dev ")[1].split()[0]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ARP)) as card:
        card.bind((interface, ETHERTYPE_ARP))
        own, wanted = card.getsockname()[4], socket.inet_aton(address)
        head = b"\xff" * 6 + own + struct.pack("!HHHBBH", ETHERTYPE_ARP, 1, 0x0800, 6, 4, 1)
        card.send(head + own + bytes(4) + bytes(6) + wanted)
        end, found = time.monotonic() + 3, set()
        while (left := end - time.monotonic()) > 0:
            card.settimeout(left)
            try:
                frame = card.recv(1500)
            except TimeoutError:
                break
            if frame[20:22] == b"\0\2" and frame[28:32] == wanted:
                found.add(frame[22:28].hex(":"))
        return sorted(found)


def ask(url, marker):
    asked = lost = 0
    gap, last = 0.0, time.monotonic()
    while os.path.exists(marker):
        begun = time.monotonic()
        asked += 1
        if get(url, timeout=ASK_PATIENCE_S)["status"] == 200:
            last = time.monotonic()
        else:
            lost += 1
        gap = max(gap, time.monotonic() - last)
        time.sleep(max(0.0, begun + ASK_EVERY_S - time.monotonic()))
    return {"asked": asked, "lost": lost, "gap_s": round(gap, 1)}


if __name__ == "__main__":
    print(json.dumps({"get": get, "words": four_letters, "owners": owners, "ask": ask}[sys.argv[1]](*sys.argv[2:])), flush=True)
