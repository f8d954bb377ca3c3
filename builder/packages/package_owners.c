// SPDX-License-Identifier: MIT
// Whose a package's files are, by its header.
#include <assert.h>
#include <fcntl.h>
#include <rpm/header.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmtd.h>
#include <string.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "packages/trust/rpm_file.h"

static void add_names(Header header, rpmTagVal tag, struct arena *arena, struct strings *names) {
        struct rpmtd_s data;
        const char *name, *last = "root"; // most files are root's, and equal names stand together
        if (!headerGet(header, tag, &data, HEADERGET_MINMEM))
                return;
        while ((name = rpmtdNextString(&data))) {
                if (strcmp(name, last) == 0)
                        continue;
                last = name;
                bool is_new = strcmp(name, "root") != 0 && !strings_have(names, name);
                if (is_new)
                        strings_add_once(arena, names, arena_strdup(arena, name));
        }
        rpmtdFreeData(&data);
}

bool package_add_owners(const struct package *package, struct arena *arena, struct strings *names, struct err *err) {
        assert(package->path);
        auto_close int fd = -1;
        struct rpm_file file;
        if (!fs_open(AT_FDCWD, package->path, O_RDONLY, 0, &fd, err) || !rpm_file_read(fd, &file, err))
                return wrap(err, "%s", package->nevra);
        add_names(file.header, RPMTAG_FILEUSERNAME, arena, names);
        add_names(file.header, RPMTAG_FILEGROUPNAME, arena, names);
        rpm_file_close(&file);
        return true;
}
