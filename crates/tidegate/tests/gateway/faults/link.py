"""A network link that is far away and loses things: packets that go into it come back out from the other side.

Whatever is sent to an address of the link but its own comes back with source and destination swapped, as if another host
had sent it: so 10.78.0.2 is 10.78.0.1 seen from afar, and a program can talk to another on the same machine over the link.
Swapping the addresses changes no checksum. Needs the privilege to configure the network; ends with its standard input.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000


def main(loss, delay, jitter):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"far0", IFF_TUN | IFF_NO_PI))
    for arguments in (["address", "add", "10.78.0.1/24", "dev", "far0"], ["link", "set", "far0", "mtu", "1500", "up"]):
        subprocess.run(["ip", *arguments], check=True)
    print("ready", flush=True)
    chance, under_way, number, lost, late = random.Random(34), [], 0, 0, 0
    newest = 0
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        readable, _, _ = select.select([tun, sys.stdin], [], [], wait)
        if sys.stdin in readable:
            print(f"{number} packets, {lost} lost, {late} overtaken", flush=True)
            return
        if tun in readable:
            packet = os.read(tun, 65536)
            if packet[0] >> 4 == 4:
                number += 1
                if chance.random() < loss:
                    lost += 1
                else:
                    back = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                    due = time.monotonic() + delay + chance.uniform(0, jitter)
                    heapq.heappush(under_way, (due, number, back))
        while under_way and under_way[0][0] <= time.monotonic():
            _, order, packet = heapq.heappop(under_way)
            late += order < newest
            newest = max(newest, order)
            os.write(tun, packet)


main(*map(float, sys.argv[1:]))
