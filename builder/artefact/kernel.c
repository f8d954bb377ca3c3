// SPDX-License-Identifier: MIT
// The kernel of a role. It is kept in the cache (cached_file.h), so that builds with the same root share
// one file, whose digest is known.
#include <fcntl.h>
#include <string.h>

#include "artefact/internal.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cache/cached_file.h"

#define KERNEL_NAME "vmlinuz"

static bool copy_kernel(int dir, void *context, struct err *err) {
        const struct artefact_role *role = context;
        auto_close int from = -1;
        auto_close int to = -1;
        return fs_open_in_root(role->root, role->kernel_path, O_RDONLY, 0, &from, err) &&
               fs_open(dir, KERNEL_NAME, O_WRONLY | O_CREAT | O_EXCL, 0444, &to, err) &&
               fs_copy_bytes(from, to, UINT64_MAX, err);
}

static bool kernel_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        auto_free char *inputs = xasprintf("%s %s", role->root_key, role->kernel_path);
        char key[DIGEST_HEX_SIZE];
        digest_bytes("sha256", inputs, strlen(inputs), key);
        auto_free char *entry = cache_entry(build->cache, CACHE_KERNEL, key);
        auto_free char *kernel = xasprintf("%s/" KERNEL_NAME, entry);
        struct cached_file cached;
        if (!cached_file_obtain(build->cache, CACHE_KERNEL, key, KERNEL_NAME, copy_kernel, role, &cached, err))
                return false;
        memcpy(role->kernel_sha256, cached.sha256, sizeof role->kernel_sha256);
        return fs_link_or_copy(AT_FDCWD, kernel, role->out, KERNEL_NAME, err);
}

const struct artefact_kind kernel_kind = {
        .name = "kernel",
        .description = "the role's kernel, from its own package",
        .per_role = true,
        .write = kernel_write,
};
