# SPDX-License-Identifier: MIT
"""kill -9 at random moments while a rack boots: what a client was told to be taken is there afterwards, and what it told nobody,
since nobody was there, it tells again. SERVE_KILLS=200 is the whole of it; 20 are what a run of all tests has time for. And a disk
that takes nothing for a while."""
import os
import random
import signal
import subprocess
import threading
import time

import firmware
from rack import ip_of, mac_of, wait_for
from tap import check, same

FIRST = "00000000000000a1"
NODES, LEASED, WORKERS = 500, 40, 4  # the last ones only ask for addresses
KILLS = int(os.environ.get("SERVE_KILLS", "20"))
STAGES = ("initrd", "root", "handover", "decided", "services", "healthy")
FILES = ("pxe/boot.ipxe", "pxe/images/mini/vmlinuz", "pxe/images/mini/initrd.img", "pxe/images/mini/config.cpio")


class Traffic:
    """Machines that boot again and again, some threads of them, and what each was last told to be heard."""

    def __init__(self, rack):
        self.rack, self.running, self.told, self.leased = rack, True, {}, {}
        indexes = list(range(NODES - LEASED))
        random.shuffle(indexes)
        self.threads = [threading.Thread(target=self.boot_all, args=(indexes[worker::WORKERS],)) for worker in range(WORKERS)]
        self.threads.append(threading.Thread(target=self.ask_for_addresses))
        for thread in self.threads:
            thread.start()

    def until_heard(self, action):
        while self.running:
            try:
                return action()
            except OSError:
                time.sleep(0.02)  # nobody is there
        return None

    def boot(self, index, turn):
        for name in FILES:
            self.until_heard(lambda: self.rack.get(f"/current/{name}", source=ip_of(index)))  # pylint: disable=cell-var-from-loop
        for rank, stage in enumerate(STAGES):
            values = {"attempt": f"{turn}", "mac": [mac_of(index)], "stage": stage, "text": f"{turn} {rank}"}
            reply = self.until_heard(lambda: self.rack.report(source=ip_of(index), **values))  # pylint: disable=cell-var-from-loop
            if reply:
                same(reply.status, 204, f"a report of n{index}")
                self.told[index] = (turn, rank)

    def boot_all(self, indexes):
        turn = 0
        while self.running:
            for index in indexes:
                self.boot(index, turn)
            turn += 1

    def ask_for_addresses(self):
        """What dnsmasq gave is told by its log: it counts as soon as the state shows it."""
        card, index = firmware.Card("cli"), NODES - LEASED
        while self.running:
            if card.lease(mac_of(index), firmware.client(0), seconds=0.3):
                machine = self.until_heard(lambda: self.rack.machine(name=f"n{index}"))  # pylint: disable=cell-var-from-loop
                if machine and "last" in machine:
                    self.leased[index] = machine["last"]
            index = index + 1 if index + 1 < NODES else NODES - LEASED
            time.sleep(0.01)

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join()


def last_text(rack, machine):
    """What it said last: in the boot before, if all that is known of this one is which files its loader asked for."""
    boots = [machine] if "text" in machine else rack.machine(name=machine["name"])["attempts"]
    return next((boot["text"] for boot in boots if "text" in boot), "-1 -1")


def lost_of(rack, told, leased, machines):
    """What was answered, or shown, and is not there any more."""
    for index, heard in told.items():
        text = last_text(rack, machines[f"n{index}"])
        if tuple(int(word) for word in text.split()) < heard:
            yield f"n{index} was told that {heard} is heard, and is at {text}"
    for index, last in leased.items():
        machine = machines[f"n{index}"]
        if machine.get("last", 0) < last:
            yield f"n{index} was seen at {last}, and is known from {machine.get('last')}"


def killed_at_any_moment(world):
    for net in range(1, 4):
        subprocess.run(["ip", "route", "add", "local", f"10.0.{net}.0/24", "dev", "lo"], check=True)
    rack = world.rack(nodes=NODES)
    rack.build(FIRST)
    rack.serve("--interface", "srv")
    traffic = Traffic(rack)
    try:
        for number in range(KILLS):
            time.sleep(random.uniform(0.02, 1.2))
            rack.stop(signal.SIGKILL)
            told, leased = dict(traffic.told), dict(traffic.leased)
            rack.serve("--interface", "srv")
            machines = {machine.get("name"): machine for machine in rack.get("/api/state").json["machines"]}
            lost = list(lost_of(rack, told, leased, machines))
            same(lost, [], f"lost by kill number {number}")
        before = dict(traffic.told)
        wait_for("machines go on", lambda: traffic.told != before, 60)
    finally:
        traffic.stop()
    states = rack.get("/api/state").json
    print(f"{KILLS} kills; {len(traffic.told)} machines told {sum(turn * len(STAGES) + rank + 1 for turn, rank in traffic.told.values())} "
          f"stages, {len(traffic.leased)} asked for addresses")
    same(states["count"], NODES, "machines: none was invented")
    check(len(traffic.told) > 20 and len(traffic.leased) > 5, "hardly any machine booted")


def what_could_not_be_written_is_tried_again(world):
    rack, card = world.rack(), firmware.Card("cli")
    rack.build(FIRST)
    rack.serve()
    # A name that is a directory can be written by nobody, root included. The hosts are written before, and not taken yet.
    os.rename(f"{rack.state}/tftp.conf", f"{rack.state}/tftp.conf.kept")
    os.mkdir(f"{rack.state}/tftp.conf")
    rack.write_inventory([f'  - {{name: late, role: mini, mac: "{mac_of(77)}", ip: 10.0.9.9}}'])
    wait_for("it is told", lambda: "dnsmasq does not know what has changed" in rack.log())
    time.sleep(3)
    same(rack.log().count("dnsmasq does not know"), 1, "times that it is told")
    os.rmdir(f"{rack.state}/tftp.conf")
    wait_for("the end of it is told", lambda: "dnsmasq knows what has changed" in rack.log())
    answer = wait_for("the new node gets its address", lambda: card.lease(mac_of(77), firmware.client(0), seconds=1))
    same(answer["ip"], "10.0.9.9", "the new node's address")


CASES = [what_could_not_be_written_is_tried_again, killed_at_any_moment]
