#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tests/bench/changed.py OLD/ROLE NEW/ROLE

What a node that keeps the root of one build must fetch of another's: by the chunks of rootfs.chunks, and, beside them, by fixed
blocks of the same size, as a copy that knows no chunks would compare them."""
import hashlib
import json
import os
import struct
import sys

HEAD, TAIL, ITEM = 64, 40, 40  # bytes: builder/shared/chunk_index.h
BLOCK = 64 << 10


def chunks_of(path):
    """[(offset, size, digest)] of an index, which is casync's .caibx."""
    with open(path, "rb") as stream:
        data = stream.read()
    begin, found = 0, []
    for place in range(HEAD, len(data) - TAIL, ITEM):
        end, = struct.unpack_from("<Q", data, place)
        found.append((begin, end - begin, data[place + 8:place + ITEM]))
        begin = end
    return found


def blocks_of(path):
    found, offset = [], 0
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            found.append((offset, len(block), hashlib.sha256(block).digest()))
            offset += len(block)
    return found


def changed(old, new):
    """Bytes of `new` that `old` has not, and in how many ranges they lie."""
    known = {digest for _, _, digest in old}
    missing = [(offset, size) for offset, size, digest in new if digest not in known]
    ends = {offset + size for offset, size in missing}
    return sum(size for _, size in missing), sum(offset not in ends for offset, _ in missing)


def compare(old, new):
    root, index = f"{new}/rootfs.squashfs", f"{new}/rootfs.chunks"
    size = os.path.getsize(root)
    by_chunks, ranges = changed(chunks_of(f"{old}/rootfs.chunks"), chunks_of(index))
    by_blocks, block_ranges = changed(blocks_of(f"{old}/rootfs.squashfs"), blocks_of(root))
    return {"root_bytes": size, "index_bytes": os.path.getsize(index), "new_bytes": by_chunks, "ranges": ranges,
            "new_bytes_by_blocks": by_blocks, "ranges_by_blocks": block_ranges}


def describe(found):
    size = found["root_bytes"]
    return (f"one more package, root of {size / 1e6:.1f} MB: {found['new_bytes'] / 1e6:.2f} MB are new, {found['new_bytes'] / size:.2%}"
            f" in {found['ranges']} ranges, target 2 %; by fixed blocks {found['new_bytes_by_blocks'] / size:.1%} in"
            f" {found['ranges_by_blocks']}; rootfs.chunks is {found['index_bytes'] / size:.3%} of it, target 0.5 %")


def main():
    found = compare(*sys.argv[1:3])
    print(json.dumps(found, indent=2))
    print(describe(found))


if __name__ == "__main__":
    main()
