// SPDX-License-Identifier: MIT
// What the initrd's init asks kiln-node to do, since busybox does it slowly or not at all.
#ifndef KILN_NODE_INITRD_INITRD_H
#define KILN_NODE_INITRD_INITRD_H

#include <stdint.h>

#include "base/err.h"
#include "firmware/node/http/fetch.h"
#include "firmware/node/plan/plan.h"
#include "firmware/node/trust/trust.h"

// ERR_CHECKSUM unless the file has exactly this size and SHA-256 (hex).
must_check bool initrd_check_root(const char *path, const char *sha256, const char *size, struct err *err);

// ERR_USAGE unless these are a SHA-256 in hex and a size in bytes.
must_check bool initrd_parse_size(const char *sha256, const char *size, uint64_t *ret, struct err *err);

// Copies a root from a medium to `to`: what is checked there is what will be used. Errors as of initrd_check_root(),
// and nothing is left then.
must_check bool initrd_copy_root(const char *from, const char *to, const char *sha256, const char *size,
                                 struct err *err);

// What is beside a root that was fetched or taken from the state disk: KEY=VALUE lines of what it took, which the
// report has (firmware/node/report.h), and the root's index, where there is one.
#define INITRD_ORIGIN_NAME "origin"

// Takes the root of this digest from the state disk that is mounted at `disk`: what is checked is what was copied to
// `to`. ERR_REFERENCE if the disk does not keep it; any other error says what is wrong there. Nothing is left then.
must_check bool initrd_take_kept_root(const char *disk, const char *to, const char *sha256, const char *size,
                                      struct err *err);

// Fetches the root, fetch->path. With `chunks`, "SHA256:SIZE" of its index, only what the roots that are kept on the
// state disk at `disk` (NULL: there is none) do not have of it: in parts, if servers send parts; else whole, and a line
// says why. `url` becomes the index's where it ends with the root's name or digest.
must_check bool initrd_fetch_root(const struct fetch *fetch, const char *chunks, const char *disk, struct err *err);

// Loads the drivers of disks, waits for a block device whose file system has the label, and prints "DEVICE TYPE\n" into
// `ret`. ERR_REFERENCE after the time limit, with what was found instead.
must_check bool initrd_find_label(const char *label, int timeout_ms, struct buf *ret, struct err *err);

// Brings the network up for fetching the root, as the plan's identity says, and writes `resolver` (/etc/resolv.conf).
// A further link of the inventory comes first if the firmware booted over its card (BOOTIF=), since the server is
// there. A bond's cards are used one at a time, as the firmware did. DHCP must do where the firmware did not fetch with
// that identity either: a machine that is going to be refused, which boots all the same, to say so; and one whose
// address is on a VLAN, which is made if DHCP gives nothing without a tag. DHCP is asked now, into the facts, if it was
// not before. `ret` says in a line what was done. ERR_NETWORK or ERR_SYSTEM.
must_check bool initrd_network(const struct plan *plan, struct facts *facts, const char *resolver, struct buf *ret,
                               struct err *err);

// What the kernel command line says to init, in its order, each a line that init takes as it is: ROOT=, ROLE=,
// ROOT_TIMEOUT= and REBOOT_DELAY= (decimal), OVERLAY_SIZE=, ON_FAILURE=, DEBUG=1. A value that is malformed is left
// out, and a line NOTE= says so: the role's word or the default counts.
void initrd_words(const char *command_line, struct buf *ret);

// Whether kiln.conf of the config drive allows a build that is older than the newest which the state disk has seen; its
// device goes to `ret_device`. The kernel command line says which drive, and nothing else. ERR_REFERENCE if it does not
// say so, ERR_IDENTITY if it is not understood.
must_check bool initrd_older_allowed(const char *command_line, struct buf *ret_device, struct err *err);

// The same before there is a configuration layer, whose inventory could say more: by DHCP, with its default settings.
must_check bool initrd_network_lease(const char *resolver, struct buf *ret, struct err *err);

// Where a unified kernel image's configuration layer is: boot.sums, boot.sums.sig and config.cpio.
struct layer_source {
        const char *from;               // "http://HOST/ROLE[,http://...]", or a medium's directory
        const char *to;                 // directory that takes config.cpio
        int give_up_ms, silence_ms;     // of a server, as in http/fetch.h
        void (*tell)(const char *text); // a line for the consoles
};

// Obtains config.cpio, and leaves it in `source->to` only if boot.sums has its digest and a trusted key has signed
// boot.sums. Whoever unpacks it unpacks what was signed; who it is for is trust_check_layer()'s to say, afterwards.
// ERR_SIGNATURE, ERR_CHECKSUM, ERR_NETWORK; ERR_REFERENCE where a medium has none, or nothing is trusted.
must_check bool initrd_take_layer(const struct trust *trust, const struct layer_source *source, struct err *err);

#endif
