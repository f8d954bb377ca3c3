// SPDX-License-Identifier: MIT
// Before the pivot, while the host's files are in sight: librpm's configuration, its modules and the packages.
#include <assert.h>
#include <fcntl.h>
#include <locale.h>
#include <nss.h>
#include <rpm/rpmcrypto.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmmacro.h>
#include <rpm/rpmpgp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "rootfs/transaction_worker.h"
#include "sandbox/overlay.h"

static void set_macros(const char *backend) {
        const struct {
                const char *name, *body;
        } macros[] = {
                { "_dbpath", "/var/lib/rpm" },
                { "_db_backend", backend },
                { "_tmppath", "/var/tmp" },
                { "_install_langs", "all" },
                { "_excludedocs", "0" },
                // /proc's owner cannot be set, and in a user namespace is not root. /dev is the kernel's on the node,
                // and empty in the image; a plain user can make no nodes.
                { "_netsharedpath", "/proc:/dev" },
                { "_pkgverify_level", "none" },
                { "_install_script_path", "/sbin:/bin:/usr/sbin:/usr/bin" },
                { "_flush_io", "0" },
                { "_minimize_writes", "0" },
        };
        for (size_t i = 0; i < lengthof(macros); i++)
                rpmPushMacro(NULL, macros[i].name, NULL, macros[i].body, RMIL_CMDLINE);
}

// Whatever librpm opens late must be open now: digests, locale, name service modules.
static bool load_rpm(const struct worker *worker, struct err *err) {
        static const int digests[] = { PGPHASHALGO_MD5, PGPHASHALGO_SHA1, PGPHASHALGO_SHA256, PGPHASHALGO_SHA512 };
        setlocale(LC_ALL, "C");
        // Nothing of the builder's or its user's taste.
        macrofiles = "/usr/lib/rpm/macros:/usr/lib/rpm/platform/%{_target}/macros";
        if (rpmReadConfigFiles("/usr/lib/rpm/rpmrc", NULL) != 0)
                return fail(err, ERR_SANDBOX, 0, "rpm's configuration in /usr/lib/rpm cannot be read");
        set_macros(worker->backend->macro);
        rpmInitCrypto();
        for (size_t i = 0; i < lengthof(digests); i++)
                rpmDigestFinal(rpmDigestInit(digests[i], RPMDIGEST_NONE), NULL, NULL, 0);
        // Owners come from the image's files; its other modules would be loaded into this process.
        __nss_configure_lookup("passwd", "files");
        __nss_configure_lookup("group", "files");
        return true;
}

// The packages are opened one by one through read-only mounts of their directories: scriptlets can reach whatever this
// process has open, and from a descriptor of a directory a Lua scriptlet would get at everything below it.
struct opened_dir {
        char *path;
        int fd;
};

struct opened_dirs {
        struct opened_dir *items;
        size_t count;
};

static bool open_package_dir(struct opened_dirs *dirs, const char *path, int *ret_fd, struct err *err) {
        for (size_t i = 0; i < dirs->count; i++)
                if (strcmp(dirs->items[i].path, path) == 0) {
                        *ret_fd = dirs->items[i].fd;
                        return true;
                }
        auto_close int dir = -1;
        if (!fs_open_dir(AT_FDCWD, path, &dir, err) || !overlay_bind(dir, true, ret_fd, err))
                return false;
        *array_append(&dirs->items, &dirs->count) = (struct opened_dir){ xstrdup(path), *ret_fd };
        return true;
}

static void close_package_dirs(struct opened_dirs *dirs) {
        for (size_t i = 0; i < dirs->count; i++) {
                close(dirs->items[i].fd);
                free(dirs->items[i].path);
        }
        free(dirs->items);
}

static bool open_package_file(struct opened_dirs *dirs, const char *path, int *ret_fd, struct err *err) {
        const char *slash = strrchr(path, '/');
        int dir = -1;
        assert(slash); // paths of packages are absolute
        size_t length = (size_t)(slash - path);
        if (length == 0)
                length = 1; // the root directory itself
        auto_free char *parent = xstrndup(path, length);
        return open_package_dir(dirs, parent, &dir, err) &&
               fs_open(dir, slash + 1, O_RDONLY | O_NOFOLLOW, 0, ret_fd, err);
}

// Every package stays open, and a shell's usual limit is 1024.
static void raise_file_limit(size_t package_count) {
        enum { OTHER_FILES = 256 };
        struct rlimit limit;
        rlim_t needed = package_count + OTHER_FILES;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
                return;
        if (needed > limit.rlim_max)
                needed = limit.rlim_max;
        limit.rlim_cur = needed;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool open_package_files(struct worker *worker, struct err *err) {
        const struct transaction *transaction = &worker->transaction;
        struct opened_dirs dirs = { 0 };
        bool ok = true;
        raise_file_limit(transaction->package_count);
        worker->files = xcalloc(transaction->package_count, sizeof *worker->files);
        for (size_t i = 0; ok && i < transaction->package_count; i++)
                ok = open_package_file(&dirs, transaction->packages[i]->path, &worker->files[i], err);
        close_package_dirs(&dirs);
        return ok;
}

bool worker_prepare(struct worker *worker, struct err *err) {
        return load_rpm(worker, err) && open_package_files(worker, err);
}
