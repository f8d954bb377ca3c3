// SPDX-License-Identifier: MIT
#include "cache/maker.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

// The Makefile gives them: builder/base with builder/packages and builder/rootfs, and with builder/artefact.
#ifndef KILN_LAYER_CODE_DIGEST
#define KILN_LAYER_CODE_DIGEST ""
#endif
#ifndef KILN_ARTEFACT_CODE_DIGEST
#define KILN_ARTEFACT_CODE_DIGEST ""
#endif

// The database's bits are SQLite's or Berkeley DB's, and some scriptlets Lua's.
static const char *const layer_libraries[] = { "librpm.so",     "librpmio.so", "libsqlite3.so", "libdb-", "liblua",
                                               "libarchive.so", NULL };
static const char *const artefact_libraries[] = { "libsquashfs.so", "libdeflate.so", "libz.so",       "liblzma.so",
                                                  "libzstd.so",     "liblz4.so",     "libarchive.so", NULL };

const struct maker layer_maker = { KILN_LAYER_CODE_DIGEST, layer_libraries };
const struct maker artefact_maker = { KILN_ARTEFACT_CODE_DIGEST, artefact_libraries };

struct search {
        const char *start;
        const char *path; // the loader's, which outlives the search
};

static int is_library(struct dl_phdr_info *info, size_t size, void *context) {
        struct search *search = context;
        const char *slash = strrchr(info->dlpi_name, '/');
        (void)size;
        if (!slash || strncmp(slash + 1, search->start, strlen(search->start)) != 0)
                return 0;
        search->path = info->dlpi_name;
        return 1;
}

bool maker_digest(const struct maker *maker, char ret_hex[static DIGEST_HEX_SIZE], struct err *err) {
        auto_buf text = { 0 };
        buf_printf(&text, "%s\n", maker->code);
        for (const char *const *library = maker->libraries; *library; library++) {
                // A library that is not loaded is part of the program.
                struct search search = { .start = *library, .path = "/proc/self/exe" };
                dl_iterate_phdr(is_library, &search);
                if (!digest_file("sha256", AT_FDCWD, search.path, ret_hex, err))
                        return wrap(err, "identifying %s", *library);
                buf_printf(&text, "%s %s\n", *library, ret_hex);
        }
        digest_bytes("sha256", text.data, text.size, ret_hex);
        return true;
}
