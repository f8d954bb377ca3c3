// SPDX-License-Identifier: MIT
// The grammar of `state_disk` in cluster and role files.
#include <string.h>

#include "profile/internal.h"
#include "profile/tables.h"

static const char *const filesystems[] = { "ext4", "xfs", NULL };

// No glob over everything: a claim is the permission to format.
#define DISK_GLOB_PATTERN "^[!-~]([ -~]*[!-~])?$"

static const struct schema_field claim_rows[] = {
        { "min_gb", "smallest size, in 10^9 bytes", &type_integer, MEMBER(state_claim, min_gb), .fallback = "0",
          .min = 0, .max = 1000000 },
        { "max_gb", "largest size, in 10^9 bytes; 0: any", &type_integer, MEMBER(state_claim, max_gb), .fallback = "0",
          .min = 0, .max = 1000000 },
        { "model", "glob that the disk's vendor and model match, such as `*SSD*`", &type_text,
          MEMBER(state_claim, model), .fallback = "*", .pattern = DISK_GLOB_PATTERN,
          .pattern_means = "a glob of printable ASCII characters" },
        { "path", "glob that its kernel name or its path in /sys/devices matches, such as `sd?` or `*/ata2/*`",
          &type_text, MEMBER(state_claim, path), .fallback = "*", .pattern = DISK_GLOB_PATTERN,
          .pattern_means = "a glob of printable ASCII characters" },
};
static const struct schema claim_table =
    SCHEMA(state_claim, claim_rows, "`claim`", "the one blank disk that may be formatted; absent: none ever is");

static const struct schema_field disk_rows[] = {
        { "label", "label of the file system that holds the state", &type_text, MEMBER(state_disk, label),
          .fallback = "KILN-STATE", .pattern = "^[A-Za-z0-9_-]{1,12}$",
          .pattern_means = "1 to 12 letters, digits, `-` and `_` (XFS keeps no more)" },
        { "required", "without the disk the node is refused; otherwise its state is lost at each reboot", &type_bool,
          MEMBER(state_disk, required), .fallback = "false" },
        { "timeout_s", "how long to wait for the disk, in seconds; a blank one is claimed after that", &type_integer,
          MEMBER(state_disk, timeout_s), .fallback = "10", .min = 0, .max = 3600 },
        { "filesystem", "what a claimed disk is formatted with, by the image's own mkfs", &type_text,
          MEMBER(state_disk, filesystem), .fallback = "ext4", .choices = filesystems },
        { "overlay",
          "the root's writable layer lies on it instead of in memory, made anew at each boot; in memory if the disk "
          "cannot be "
          "used or is full",
          &type_bool, MEMBER(state_disk, overlay), .fallback = "false" },
        { "root_cache",
          "nodes keep the last two roots on it, fetch what they lack, and read nothing else from the network at the "
          "next "
          "boot: PXE entries of the role fetch its root from http_base then, instead of carrying it",
          &type_bool, MEMBER(state_disk, root_cache), .fallback = "false" },
        { "claim", "which blank disk may be formatted; absent: none", &type_table, MEMBER(state_disk, claim),
          .table = &claim_table },
};
const struct schema state_disk_table =
    SCHEMA(state_disk, disk_rows, "`state_disk`", "the disk on which state outlives reboots; absent: none");

void state_disk_join(const struct value *tree, const struct state_disk *written, struct state_disk *into) {
        const struct value *disk = schema_given(tree, "state_disk");
        if (!disk)
                return;
        *into = *written;
        into->wanted = true;
        into->claim.wanted = schema_given(disk, "claim") != NULL;
}
