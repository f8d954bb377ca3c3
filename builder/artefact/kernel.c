#include <fcntl.h>

#include "artefact/internal.h"
#include "base/fs.h"
#include "base/mem.h"

static bool kernel_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        (void)build;
        auto_close int from = -1;
        auto_close int to = -1;
        return fs_open_in_root(role->root, role->kernel_path, O_RDONLY, 0, &from, err) &&
               fs_open(role->out, "vmlinuz", O_WRONLY | O_CREAT | O_EXCL, 0644, &to, err) &&
               fs_copy_bytes(from, to, UINT64_MAX, err);
}

const struct artefact_kind kernel_kind = {
        .name = "kernel",
        .description = "the role's kernel, from its own package",
        .per_role = true,
        .write = kernel_write,
};
