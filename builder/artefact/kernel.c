// SPDX-License-Identifier: MIT
// The kernel of a role. Builds with the same root share it (cached_artefact.h).
#include <fcntl.h>
#include <string.h>

#include "artefact/cached_artefact.h"
#include "artefact/internal.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"

#define KERNEL_NAME "vmlinuz"

static bool copy_kernel(int dir, void *context, struct err *err) {
        const struct artefact_role *role = context;
        auto_close int from = -1;
        auto_close int to = -1;
        return fs_open_in_root(role->root, role->kernel_path, O_RDONLY, 0, &from, err) &&
               fs_open(dir, KERNEL_NAME, O_WRONLY | O_CREAT | O_EXCL, 0444, &to, err) &&
               fs_copy_bytes(from, to, UINT64_MAX, err);
}

static void kernel_key(const struct artefact_role *role, struct buf *ret_inputs, char ret_hex[static DIGEST_HEX_SIZE]) {
        buf_printf(ret_inputs, "root %s\nimage %s\n", role->root_key, role->kernel_path);
        digest_bytes("sha256", ret_inputs->data, ret_inputs->size, ret_hex);
}

static bool kernel_look(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret_inputs,
                        bool *ret_cached, struct err *err) {
        char key[DIGEST_HEX_SIZE];
        (void)err;
        kernel_key(role, ret_inputs, key);
        if (ret_cached)
                *ret_cached = cached_file_is_whole(build->cache, CACHE_KERNEL, key);
        return true;
}

static bool kernel_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        auto_buf inputs = { 0 };
        char key[DIGEST_HEX_SIZE];
        kernel_key(role, &inputs, key);
        const struct cached_artefact kernel = {
                .kind = CACHE_KERNEL,
                .key = key,
                .name = KERNEL_NAME,
                .make = copy_kernel,
                .context = role,
        };
        struct cached_file cached;
        return cached_artefact_publish(build, role, &kernel, &cached, err);
}

const struct artefact_kind kernel_kind = {
        .name = "kernel",
        .description = "the role's kernel, from its own package",
        .per_role = true,
        .write = kernel_write,
        .look = kernel_look,
};
