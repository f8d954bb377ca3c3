// SPDX-License-Identifier: MIT
// A package on its way to librpm, unpacked ahead of it. librpm has one thread, and unpacking xz is the larger part of
// what it does with a package's files: here a thread of its own unpacks, and hands on the same package with a payload
// that is xz in name only, blocks that are stored (the .xz file format, version 1.2.0, section 5.3.1; "uncompressed
// chunks" of LZMA2). librpm sees the same header and the same files.
#ifndef KILN_ROOTFS_PAYLOAD_FEED_H
#define KILN_ROOTFS_PAYLOAD_FEED_H

struct payload_feed;

// Begins to unpack a package, of which only bytes at given offsets are read (pread(2)); the descriptor stays the
// caller's, and open until payload_feed_stop(). NULL: its payload is not xz, or there is nothing to unpack with, and
// librpm reads the file itself. A payload that is damaged ends where it cannot be unpacked, as librpm then tells.
struct payload_feed *payload_feed_start(int package);

// The end of a pipe from which the package is to be read, once, from its beginning; the feed's.
int payload_feed_output(const struct payload_feed *feed);

// Also before all of it was read; NULL is none.
void payload_feed_stop(struct payload_feed *feed);

#endif
