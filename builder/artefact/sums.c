// SPDX-License-Identifier: MIT
// SHA256SUMS, for `sha256sum -c`: every published file but itself.
#include "artefact/file_sums.h"
#include "artefact/internal.h"
#include "base/fs.h"

bool sums_format(struct artefact_build *build, struct buf *ret, struct err *err) {
        struct published_list list = { 0 };
        if (!file_sums_list(build, &list, err))
                return false;
        for (size_t i = 0; i < list.count; i++)
                buf_printf(ret, "%s  %s\n", list.items[i].sha256, list.items[i].path);
        published_list_release(&list);
        return true;
}

static bool sums_write(struct artefact_build *build, struct artefact_role *none, struct err *err) {
        (void)none;
        auto_buf text = { 0 };
        return sums_format(build, &text, err) &&
               fs_write(build->out, "SHA256SUMS", buf_text(&text), text.size, 0644, err);
}

const struct artefact_kind sums_kind = {
        .name = "sums",
        .description = "SHA256SUMS of everything published",
        .write = sums_write,
};
