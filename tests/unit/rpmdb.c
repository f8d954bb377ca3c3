// SPDX-License-Identifier: MIT
// rpm's database for releases whose rpm reads Berkeley DB only: written by kiln, indexed by the image's own rpm (a
// stand-in that leaves random bytes wherever libdb lets it), read by Debian's rpm and db5.3-util.
#include "base/buf.h"
#include "configure/internal.h"
#include "packages/packages.h"
#include "rootfs/rootfs.h"
#include "sandbox/sandbox.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/run.h"
#include "rootfs/bdb.h"
#include "rootfs/rpmdb_sqlite.h"
#include "tests/unit/layers.h"
#include "tests/unit/open_cache.h"

static char work_path[] = "/tmp/kiln-rpmdb-XXXXXX";
static int work = -1;
static struct arena arena;
static struct release release = { .name = "r", .arch = "x86_64", .rpmdb = "bdb" };

static const char *const tables[] = { "Packages",    "Basenames",    "Name",         "Group",       "Requirename",
                                      "Providename", "Conflictname", "Obsoletename", "Triggername", "Dirnames",
                                      "Installtid",  "Sigmd5",       "Sha1header" };

static const char spec[] =
    "%global __spec_install_post %{nil}\n%global debug_package %{nil}\n%global _build_id_links none\n"
    "Name: filesystem\nVersion: 1\nRelease: 1\nSummary: s\nLicense: x\nBuildArch: x86_64\nAutoReqProv: no\n"
    "Group: System\n%description\n"
    "%package -n rpm\nSummary: s\nAutoReqProv: no\nProvides: /bin/sh\n%description -n rpm\n"
    "%package -n many\nSummary: s\nAutoReqProv: no\nRequires: filesystem\nConflicts: nobody\nObsoletes: few\n"
    "Provides: capability = 3\n%description -n many\n"
    "%package -n small\nSummary: s\nAutoReqProv: no\nRequires: many\n%description -n small\n"
    "%package -n shell\nSummary: s\nAutoReqProv: no\n%description -n shell\n"
    "%package -n asks\nSummary: s\nAutoReqProv: no\nRequires(post): filesystem rpm shell\n%description -n asks\n"
    "%package -n asks-again\nSummary: s\nAutoReqProv: no\nRequires(post): asks\n%description -n asks-again\n"
    "%package -n brokenrpm\nSummary: s\nAutoReqProv: no\n%description -n brokenrpm\n"
    "%package -n macros\nSummary: s\nAutoReqProv: no\n%description -n macros\n"
    "%package -n rpm8\nSummary: s\nAutoReqProv: no\nRequires: filesystem\nRecommends: many\n%description -n rpm8\n"
    "%install\nR=%{buildroot}\nmkdir -p $R/var/lib/rpm $R/usr/bin $R/usr/share/many $R/etc $R/opt\n"
    "cp %{program} $R/usr/bin/rpm\ncp /usr/bin/busybox $R/opt/rpm\ncp /usr/bin/busybox $R/usr/bin/sh\n"
    "mkdir -p $R/usr/lib/rpm $R/usr/lib/sysimage/rpm\nprintf '%%%%_dbpath\\t\\t%%%%{_usr}/lib/sysimage/rpm\\n' "
    ">$R/usr/lib/rpm/macros\n"
    "cp %{program}8 $R/opt/rpm8\necho small >$R/etc/small\n"
    "for i in $(seq 900); do mkdir $R/usr/share/many/directory-$i\necho $i >$R/usr/share/many/directory-$i/file-$i; "
    "done\nfind $R -type f -exec touch -d @1400000000 {} +\n"
    "%files\n%dir /usr\n%dir /usr/bin\n%dir /etc\n%dir /var/lib/rpm\n%files -n rpm\n/usr/bin/rpm\n"
    "%files -n many\n/usr/share/many\n%files -n small\n/etc/small\n%files -n brokenrpm\n/opt/rpm\n"
    "%files -n macros\n/usr/lib/rpm/macros\n%dir /usr/lib/sysimage/rpm\n"
    "%files -n shell\n/usr/bin/sh\n%files -n asks\n%files -n asks-again\n"
    "%post -n asks -p /usr/bin/sh\nfor n in rpm asks asks-again; do /usr/bin/rpm -q $n; done >/etc/asked; exit 0\n"
    "%post -n asks-again -p /usr/bin/sh\nfor n in rpm asks asks-again; do /usr/bin/rpm -q $n; done >/etc/asked-again; "
    "exit 0\n"
    "%files -n rpm8\n/opt/rpm8\n%post -n rpm8 -p <lua>\nposix.symlink('/opt/rpm8', '/usr/bin/rpm')\n"
    "%post -n brokenrpm -p <lua>\nposix.symlink('/opt/rpm', '/usr/bin/rpm')\n";

static bool build_packages(struct err *err) {
        auto_free char *top = xasprintf("_topdir %s", work_path);
        auto_free char *rpms = xasprintf("_rpmdir %s/rpms", work_path);
        auto_free char *file = xasprintf("%s/test.spec", work_path);
        auto_free char *program = xasprintf("%s/rpm", work_path);
        auto_free char *program8 = xasprintf("%s8", program);
        auto_free char *define = xasprintf("program %s", program);
        return run_command(err, "gcc", "-O1", "-static", "-DRPM_4_14", "-o", program8, "tests/unit/rpm-4.11/rpm.c",
                           "-ldb-5.3", "-lpthread", NULL) &&
               run_command(err, "gcc", "-O1", "-static", "-o", program, "tests/unit/rpm-4.11/rpm.c", "-ldb-5.3",
                           "-lpthread", NULL) &&
               fs_write_atomic(work, "test.spec", spec, sizeof spec - 1, 0644, err) &&
               run_command(err, "rpmbuild", "-bb", "--quiet", "--define", top, "--define", rpms, "--define",
                           "_dbpath /tmp/none", "--define", define, file, NULL);
}

static struct package_set set_of(const char *const *names) {
        struct package_set set = { 0 };
        for (size_t i = 0; names[i]; i++) {
                struct package *package = arena_alloc(&arena, sizeof *package);
                char *checksum = arena_strndup(&arena, "", DIGEST_HEX_SIZE);
                *package = (struct package){
                        .name = names[i],
                        .nevra = arena_printf(&arena, "%s-1-1.x86_64", names[i]),
                        .checksum = checksum,
                        .checksum_type = "sha256",
                        .path = arena_printf(&arena, "%s/rpms/x86_64/%s-1-1.x86_64.rpm", work_path, names[i]),
                };
                EXPECT_OK(digest_file("sha256", AT_FDCWD, package->path, checksum, err));
                *array_append(&set.items, &set.count) = package;
        }
        return set;
}

static const char *const base_names[] = { "filesystem", "rpm", NULL };
static const char *const role_names[] = { "filesystem", "rpm", "many", "small", NULL };

// A base and a role layer, mounted.
static bool make_layers(const char *cache, struct layer **ret_base, struct mounted *ret, struct err *err) {
        struct package_set base = set_of(base_names), role = set_of(role_names);
        struct rootfs_options options = { open_cache(arena_printf(&arena, "%s/%s", work_path, cache)), &release,
                                          1447000000 };
        struct layer *upper;
        bool ok = layer_install(&options, &base, NULL, NULL, &arena, ret_base, err) &&
                  layer_install(&options, &role, *ret_base, &base, &arena, &upper, err) &&
                  layer_mount(&options, upper, ret, err);
        free(base.items);
        free(role.items);
        return ok;
}

// What Debian's rpm reads in the tables below `root`.
static char *query(const char *root, const char *const *arguments) {
        const char *argv[16] = { "rpm", "--root", root, "--dbpath", "/var/lib/rpm", "--define", "_db_backend bdb_ro" };
        struct buf output = { 0 };
        for (size_t i = 0; arguments[i]; i++)
                argv[7 + i] = arguments[i];
        EXPECT_OK(run(&(struct run){ .argv = argv, .output = &output }, err));
        return output.data ? buf_take(&output) : xstrdup("");
}

static void expect_query(const char *root, const char *const *arguments, const char *wanted) {
        auto_free char *output = query(root, arguments);
        EXPECT_TEXT(output, wanted);
}

static struct layer *base;
static struct mounted mounted = { .fd = -1 };

static void layers_are_made(void) {
        EXPECT_OK(make_layers("cache", &base, &mounted, err));
        for (size_t i = 0; i < lengthof(tables); i++) {
                struct stat stat;
                auto_free char *path = xasprintf("var/lib/rpm/%s", tables[i]);
                EXPECT(fstatat(mounted.fd, path, &stat, 0) == 0 && (stat.st_mode & 07777) == 0644 && stat.st_uid == 0);
        }
        EXPECT(!fs_exists(mounted.fd, "var/lib/rpm/__db.001") && !fs_exists(mounted.fd, "var/lib/rpm/rpmdb.sqlite"));
        EXPECT(!fs_exists(mounted.fd, "var/lib/rpm/rpmdb.sqlite-wal"));
        auto_free char *kept = xasprintf("%s/../rpmdb.sqlite", base->path);
        EXPECT(access(kept, F_OK) == 0);
}

static void debians_rpm_reads_it(void) {
        static const char *const all[] = { "-qa",   "--qf", "%{name} %{installtime} %{installtid} %{filestates}\n",
                                           "small", "rpm",  NULL };
        expect_query(base->path, (const char *const[]){ "-qa", "--qf", "%{name}\n", NULL }, "rpm\nfilesystem\n");
        expect_query(mounted.path, all, "small 1447000000 1447000000 0\nrpm 1447000000 1447000000 0\n");
        auto_free char *names = query(mounted.path, (const char *const[]){ "-qa", NULL });
        EXPECT(strstr(names, "filesystem-1-1.x86_64\n") && strstr(names, "many-1-1.x86_64\n"));
        expect_query(mounted.path, (const char *const[]){ "-q", "--whatprovides", "capability", NULL },
                     "many-1-1.x86_64\n");
        expect_query(mounted.path, (const char *const[]){ "-q", "--whatrequires", "many", NULL }, "small-1-1.x86_64\n");
        expect_query(mounted.path, (const char *const[]){ "-qf", "/usr/share/many/directory-77/file-77", NULL },
                     "many-1-1.x86_64\n");
        expect_query(mounted.path, (const char *const[]){ "-ql", "small", NULL }, "/etc/small\n");
        expect_query(mounted.path, (const char *const[]){ "-Va", NULL }, "");
}

static void db_util_verifies(void) {
        for (size_t i = 0; i < lengthof(tables); i++) {
                auto_free char *path = xasprintf("%s/var/lib/rpm/%s", mounted.path, tables[i]);
                EXPECT_OK(run_command(err, "db5.3_verify", "-q", path, NULL));
        }
}

static void two_builds_are_identical(void) {
        struct layer *other_base;
        struct mounted other = { .fd = -1 };
        sleep(1); // another second of the clock
        EXPECT_OK(make_layers("other", &other_base, &other, err));
        for (size_t i = 0; i < lengthof(tables); i++) {
                char first[DIGEST_HEX_SIZE] = "-", second[DIGEST_HEX_SIZE] = "";
                auto_free char *path = xasprintf("var/lib/rpm/%s", tables[i]);
                EXPECT_OK(digest_file("sha256", mounted.fd, path, first, err));
                EXPECT_OK(digest_file("sha256", other.fd, path, second, err));
                EXPECT_TEXT(first, second);
        }
        layer_unmount(&other);
}

static void each_table_has_its_own_id(void) {
        char ids[lengthof(tables)][20];
        for (size_t i = 0; i < lengthof(tables); i++) {
                auto_free char *path = xasprintf("var/lib/rpm/%s", tables[i]);
                auto_close int fd = openat(mounted.fd, path, O_RDONLY | O_CLOEXEC);
                EXPECT(pread(fd, ids[i], sizeof ids[i], 52) == sizeof ids[i]);
                for (size_t j = 0; j < i; j++)
                        EXPECT(memcmp(ids[i], ids[j], sizeof ids[i]) != 0);
        }
}

static void without_rpm_only_packages(void) {
        static const char *const names[] = { "filesystem", "many", NULL };
        struct rootfs_options options = { open_cache(arena_printf(&arena, "%s/without", work_path)), &release,
                                          1447000000 };
        struct package_set set = set_of(names);
        struct layer *layer = NULL;
        EXPECT_OK(layer_install(&options, &set, NULL, NULL, &arena, &layer, err));
        free(set.items);
        if (!layer)
                return;
        auto_free char *path = xasprintf("%s/var/lib/rpm/Packages", layer->path);
        auto_free char *index = xasprintf("%s/var/lib/rpm/Name", layer->path);
        size_t count = 0;
        EXPECT_OK(bdb_count(path, &count, err));
        EXPECT(count == 3 && access(index, F_OK) < 0);
        EXPECT_OK(run_command(err, "db5.3_verify", "-q", path, NULL));
        expect_query(layer->path, (const char *const[]){ "-qa", "--qf", "%{name}\n", NULL }, "many\nfilesystem\n");
}

// A layer of `names` over one of `lower`, in a new cache; open. Their mount point is left to main().
static bool make_pair(const char *cache, const char *const *lower, const char *const *names, struct mounted *ret,
                      struct err *err) {
        struct package_set base_set = set_of(lower), set = set_of(names);
        struct rootfs_options options = { open_cache(arena_printf(&arena, "%s/%s", work_path, cache)), &release,
                                          1447000000 };
        struct layer *under, *upper;
        bool ok = layer_install(&options, &base_set, NULL, NULL, &arena, &under, err) &&
                  layer_install(&options, &set, under, &base_set, &arena, &upper, err) &&
                  layer_mount(&options, upper, ret, err);
        free(base_set.items);
        free(set.items);
        if (!ok)
                return false;
        auto_free char *kept = xasprintf("%s/../rpmdb.sqlite", upper->path);
        return access(kept, F_OK) == 0 || fail(err, ERR_INTERNAL, errno, "%s", kept);
}

// Digests of all that lies in /var/lib/rpm; heap.
static char *digests_of_database(const char *root) {
        struct buf output = { 0 };
        auto_free char *dir = xasprintf("%s/var/lib/rpm", root);
        const char *const argv[] = { "sh", "-c", "cd \"$0\" && ls -A && sha256sum *", dir, NULL };
        EXPECT_OK(run(&(struct run){ .argv = argv, .output = &output }, err));
        return buf_take(&output);
}

// rpm 4.14 of EL8: more tables, and --rebuilddb replaces the directory with whatever else lies in it.
static void rpm_4_14_may_replace_its_directory(void) {
        static const char *const without[] = { "filesystem", NULL }, *const lower[] = { "filesystem", "rpm8", NULL },
                                 *const names[] = { "filesystem", "rpm8", "many", NULL };
        static const char *const caches[] = { "el8", "el8-again" };
        char *digests[lengthof(caches)] = { NULL };
        for (size_t i = 0; i < lengthof(caches); i++) {
                struct mounted pair = { .fd = -1 };
                EXPECT_OK(make_pair(caches[i], lower, names, &pair, err));
                if (pair.fd < 0)
                        return;
                digests[i] = digests_of_database(pair.path);
                expect_query(pair.path, (const char *const[]){ "-q", "--whatprovides", "capability", NULL },
                             "many-1-1.x86_64\n");
                layer_unmount(&pair);
        }
        EXPECT(strstr(digests[0], "\nRecommendname\n") && strstr(digests[0], "\nTransfiletriggername\n"));
        EXPECT(!strstr(digests[0], ".kiln") && !strstr(digests[0], "__db") && !strstr(digests[0], "sqlite"));
        EXPECT_TEXT(digests[0], digests[1]);
        struct mounted late = { .fd = -1 }; // rpm in the role's layer alone
        EXPECT_OK(make_pair("el8-late", without, names, &late, err));
        if (late.fd >= 0)
                expect_query(late.path, (const char *const[]){ "-q", "rpm8", "many", NULL },
                             "rpm8-1-1.x86_64\nmany-1-1.x86_64\n");
        layer_unmount(&late);
        free(digests[0]);
        free(digests[1]);
}

static void database_may_lie_elsewhere(void) {
        static const struct release elsewhere = {
                .name = "r", .arch = "x86_64", .rpmdb = "sqlite", .rpmdb_path = "/usr/lib/sysimage/rpm"
        };
        struct rootfs_options options = { open_cache(arena_printf(&arena, "%s/sysimage", work_path)), &elsewhere,
                                          1447000000 };
        static const char *const names[] = { "filesystem", "many", NULL };
        struct package_set set = set_of(names);
        struct layer *layer = NULL;
        char target[64] = "";
        EXPECT_OK(layer_install(&options, &set, NULL, NULL, &arena, &layer, err));
        free(set.items);
        if (!layer)
                return;
        auto_free char *link = xasprintf("%s/var/lib/rpm", layer->path);
        EXPECT(readlink(link, target, sizeof target - 1) > 0);
        EXPECT_TEXT(target, "../../usr/lib/sysimage/rpm");
        auto_buf output = { 0 };
        const char *const argv[] = {
                "rpm", "--root", layer->path, "--dbpath", "/usr/lib/sysimage/rpm", "--define", "_db_backend sqlite",
                "-q",  "many",   NULL
        };
        EXPECT_OK(run(&(struct run){ .argv = argv, .output = &output }, err));
        EXPECT_TEXT(buf_text(&output), "many-1-1.x86_64\n");
        auto_free char *lock = xasprintf("%s/usr/lib/sysimage/rpm/.rpm.lock", layer->path);
        EXPECT(access(lock, F_OK) < 0);
}

// The package rpm, whose macros say that its database is elsewhere, is the last of the names.
static struct package_set set_with_rpm(const char *const *names) {
        struct package_set set = set_of(names);
        ((struct package *)set.items[set.count - 1])->name = "rpm";
        return set;
}

static void the_package_rpm_says_where_it_lies(void) {
        static const char *const names[] = { "filesystem", "many", "macros", NULL };
        static const char *const without[] = { "filesystem", NULL };
        static struct release says_nothing = { .name = "r", .path = "r.yaml", .arch = "x86_64", .rpmdb = "sqlite" };
        struct rootfs_options options = { open_cache(arena_printf(&arena, "%s/macros", work_path)), &says_nothing,
                                          1447000000 };
        struct package_set set = set_with_rpm(names), less = set_of(without);
        struct layer *layer = NULL, *role = NULL;
        char target[64] = "";
        auto_err failure = { 0 };
        EXPECT_OK(layer_install(&options, &set, NULL, NULL, &arena, &layer, err));
        EXPECT(readlink(arena_printf(&arena, "%s/var/lib/rpm", layer->path), target, sizeof target - 1) > 0);
        EXPECT_TEXT(target, "../../usr/lib/sysimage/rpm");
        EXPECT(fs_exists(AT_FDCWD, arena_printf(&arena, "%s/usr/lib/sysimage/rpm/rpmdb.sqlite", layer->path)));
        EXPECT(!fs_exists(AT_FDCWD, arena_printf(&arena, "%s/../rpm-package", layer->path)));
        EXPECT_OK(layer_install(&options, &less, NULL, NULL, &arena, &layer, err)); // rpm is a role's alone
        EXPECT(!layer_install(&options, &set, layer, &less, &arena, &role, &failure));
        EXPECT_TEXT(err_kind_name(failure.kind), "TRANSACTION");
        EXPECT_TEXT(text_or(failure.hint, ""), "add `rpmdb_path: /usr/lib/sysimage/rpm` to the release file r.yaml");
        says_nothing.rpmdb_path = "/var/lib/rpm"; // a warning: the profile knows better
        EXPECT_OK(layer_install(&options, &set, NULL, NULL, &arena, &layer, err));
        EXPECT(fs_exists(AT_FDCWD, arena_printf(&arena, "%s/var/lib/rpm/rpmdb.sqlite", layer->path)));
        free(set.items);
        free(less.items);
}

static void empty_base_is_fine(void) {
        struct rootfs_options options = { open_cache(arena_printf(&arena, "%s/empty", work_path)), &release,
                                          1447000000 };
        struct package_set none = { 0 }, set = set_of(base_names);
        struct layer *lower = NULL, *upper = NULL, *same = NULL;
        EXPECT_OK(layer_install(&options, &none, NULL, NULL, &arena, &lower, err));
        EXPECT_OK(layer_install(&options, &set, lower, &none, &arena, &upper, err));
        EXPECT_OK(layer_install(&options, &set, upper, &set, &arena, &same, err)); // a role that adds nothing
        auto_free char *kept = xasprintf("%s/../rpmdb.sqlite", same ? same->path : "");
        EXPECT(access(kept, F_OK) == 0);
        free(set.items);
}

static void expect_answers(const struct layer *layer, const char *path, const char *wanted) {
        auto_free char *file = xasprintf("%s/%s", layer->path, path);
        auto_buf text = { 0 };
        EXPECT_OK(fs_read(AT_FDCWD, file, &text, err));
        EXPECT_TEXT(buf_text(&text), wanted);
}

// In a new root, and in one whose tables were made before.
static void scriptlets_ask_rpm(void) {
        static const char *const all_names[] = { "filesystem", "rpm", "shell", "asks", "asks-again", NULL };
        struct rootfs_options options = { open_cache(arena_printf(&arena, "%s/asks", work_path)), &release,
                                          1447000000 };
        struct package_set lower_set = set_of(base_names), all = set_of(all_names);
        struct layer *alone = NULL, *lower = NULL, *upper = NULL;
        EXPECT_OK(layer_install(&options, &all, NULL, NULL, &arena, &alone, err));
        EXPECT_OK(layer_install(&options, &lower_set, NULL, NULL, &arena, &lower, err));
        EXPECT_OK(layer_install(&options, &all, lower, &lower_set, &arena, &upper, err));
        const struct layer *const both[] = { alone, upper };
        for (size_t i = 0; i < lengthof(both) && both[i]; i++) {
                expect_answers(both[i], "etc/asked", "rpm\nasks\npackage asks-again is not installed\n");
                expect_answers(both[i], "etc/asked-again", "rpm\nasks\nasks-again\n");
        }
        free(lower_set.items);
        free(all.items);
}

static void broken_rpm_is_told(void) {
        static const char *const names[] = { "filesystem", "brokenrpm", NULL };
        struct rootfs_options options = { open_cache(arena_printf(&arena, "%s/broken", work_path)), &release,
                                          1447000000 };
        struct package_set set = set_of(names);
        struct layer *layer;
        auto_err failure = { 0 };
        EXPECT(!layer_install(&options, &set, NULL, NULL, &arena, &layer, &failure));
        EXPECT(failure.text && strstr(failure.text, "the image's own rpm"));
        free(set.items);
}

// The image's rpm may be anything: its tables are hostile input.
static void damaged_tables_are_refused_or_settled(void) {
        unsigned random = 1;
        size_t refused = 0;
        for (size_t i = 0; i < lengthof(tables); i++) {
                auto_buf table = { 0 }, copy = { 0 };
                auto_free char *path = xasprintf("var/lib/rpm/%s", tables[i]);
                EXPECT_OK(fs_read(mounted.fd, path, &table, err));
                for (int round = 0; round < 200; round++) {
                        auto_err failure = { 0 };
                        buf_clear(&copy);
                        buf_append(&copy, table.data, table.size);
                        for (int change = 0; change < 8; change++) {
                                random = random * 1103515245 + 12345;
                                size_t page = (random >> 8) % (copy.size / 4096);
                                copy.data[page * 4096 + (random >> 4) % 64] = (char)(random >> 20);
                        }
                        refused += !bdb_settle("x", (unsigned char *)copy.data, copy.size, &failure);
                }
                for (size_t size = 0; size < 2000; size += 100) {
                        auto_err failure = { 0 };
                        auto_free unsigned char *cut = xmalloc(size + 1);
                        memcpy(cut, table.data, size);
                        EXPECT(!bdb_settle("x", cut, size, &failure) && failure.kind == ERR_TRANSACTION);
                }
        }
        EXPECT(refused > 100);
}

// ---- sqlite: the same rows by two ways ----

// One entry, the install time: header format of rpm's manual.
#define HEADER(time)                                                                                                   \
        "x'00000001"                                                                                                   \
        "00000004"                                                                                                     \
        "000003f0"                                                                                                     \
        "00000004"                                                                                                     \
        "00000000"                                                                                                     \
        "00000001" time "'"
#define PACKAGES "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);"
#define NAME "CREATE TABLE 'Name' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL);"
#define NAME_INDEX "CREATE INDEX 'Name_key_idx' ON 'Name'(key ASC);"
#define SIGMD5 "CREATE TABLE 'Sigmd5' (key 'BLOB' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL);"

static const char *const straight[] = {
        "BEGIN;" PACKAGES NAME SIGMD5 NAME_INDEX,
        "INSERT INTO Packages VALUES (1, " HEADER("11111111") "), (2, " HEADER("22222222") ")",
        "INSERT INTO Name VALUES ('one', 1, 0), ('two', 2, 0); INSERT INTO Sigmd5 VALUES (x'0102', 1, 0)",
        "COMMIT",
};
static const char *const roundabout[] = {
        "PRAGMA page_size=1024; PRAGMA auto_vacuum=FULL; PRAGMA journal_mode=WAL",
        SIGMD5 NAME PACKAGES,
        "INSERT INTO Packages VALUES (7, " HEADER("00000000") ")",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 500) INSERT INTO Name SELECT i, 7, 0 "
        "FROM n",
        "DELETE FROM Name; DELETE FROM Packages",
        "INSERT INTO Packages VALUES (2, " HEADER("33333333") "), (1, " HEADER("44444444") ")",
        "INSERT INTO Name VALUES ('two', 2, 0), ('one', 1, 0)",
        NAME_INDEX "INSERT INTO Sigmd5 VALUES (x'0102', 1, 0); ANALYZE",
        "BEGIN; INSERT INTO Name VALUES ('three', 3, 0); ROLLBACK",
};

static void make_database(const char *path, const char *const *statements, size_t count) {
        sqlite3 *db = NULL;
        int journal = 0;
        EXPECT(sqlite3_open(path, &db) == SQLITE_OK);
        // A process that was killed leaves its log.
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &journal);
        for (size_t i = 0; i < count; i++)
                EXPECT_TEXT(sqlite3_exec(db, statements[i], NULL, NULL, NULL) == SQLITE_OK ? "" : sqlite3_errmsg(db),
                            "");
        EXPECT(sqlite3_close(db) == SQLITE_OK);
}

static void rows_alone_decide(void) {
        auto_free char *first = xasprintf("%s/first.sqlite", work_path);
        auto_free char *second = xasprintf("%s/second.sqlite", work_path);
        char first_digest[DIGEST_HEX_SIZE] = "-", second_digest[DIGEST_HEX_SIZE] = "";
        make_database(first, straight, lengthof(straight));
        make_database(second, roundabout, lengthof(roundabout));
        EXPECT(chmod(first, 0640) == 0);
        EXPECT(fs_exists(work, "second.sqlite-wal"));
        EXPECT_OK(rpmdb_sqlite_settle(first, 1447000000, err));
        EXPECT_OK(rpmdb_sqlite_settle(second, 1447000000, err));
        EXPECT_OK(digest_file("sha256", work, "first.sqlite", first_digest, err));
        EXPECT_OK(digest_file("sha256", work, "second.sqlite", second_digest, err));
        EXPECT_TEXT(first_digest, second_digest);
        static const char *const others[] = { "second.sqlite-wal", "second.sqlite-shm", "second.sqlite.settled" };
        for (size_t i = 0; i < lengthof(others); i++)
                EXPECT(!fs_exists(work, others[i]));
        struct stat stat;
        EXPECT(fstatat(work, "first.sqlite", &stat, 0) == 0 && (stat.st_mode & 07777) == 0640);
        EXPECT_OK(rpmdb_sqlite_settle(first, 1447000000, err)); // a role layer's, which begins with the base layer's
        EXPECT_OK(digest_file("sha256", work, "first.sqlite", first_digest, err));
        EXPECT_TEXT(first_digest, second_digest);
}

static void sqlite_judges_it(void) {
        static const char *const query = "PRAGMA integrity_check; SELECT hnum, hex(blob) FROM Packages; "
                                         "SELECT key, hnum FROM Name ORDER BY rowid; SELECT seq FROM sqlite_sequence; "
                                         "PRAGMA freelist_count; PRAGMA journal_mode; SELECT sum(1) FROM sqlite_schema";
        auto_free char *path = xasprintf("%s/first.sqlite", work_path);
        auto_buf output = { 0 };
        const char *const argv[] = { "sqlite3", "-readonly", path, query, NULL };
        EXPECT_OK(run(&(struct run){ .argv = argv, .output = &output }, err));
        EXPECT_TEXT(buf_text(&output), "ok\n"
                                       "1|0000000100000004000003F0000000040000000000000001563F77C0\n"
                                       "2|0000000100000004000003F0000000040000000000000001563F77C0\n"
                                       "one|1\ntwo|2\n2\n0\ndelete\n5\n");
}

static void damaged_database_is_told(void) {
        static const char *const malformed[] = { PACKAGES "INSERT INTO Packages VALUES (1, x'00000001000000ff')" };
        auto_free char *path = xasprintf("%s/malformed.sqlite", work_path);
        auto_err failure = { 0 }, other = { 0 }, absent = { 0 };
        make_database(path, malformed, lengthof(malformed));
        EXPECT(!rpmdb_sqlite_settle(path, 1447000000, &failure) && failure.kind == ERR_TRANSACTION);
        EXPECT_OK(fs_write_atomic(work, "malformed.sqlite", "no database at all", 18, 0644, err));
        EXPECT(!rpmdb_sqlite_settle(path, 1447000000, &other) && other.kind == ERR_TRANSACTION);
        EXPECT(other.text && strstr(other.text, "not a database"));
        EXPECT(unlink(path) == 0 && !rpmdb_sqlite_settle(path, 1447000000, &absent));
}

// As librpm does: the failure of a write is not looked at.
static void lost_writes_are_told(void) {
        static const char *const two[] = { PACKAGES "INSERT INTO Packages VALUES (1, x'00'), (2, x'00')" };
        auto_free char *path = xasprintf("%s/lost.sqlite", work_path);
        auto_err fewer = { 0 }, lost = { 0 };
        struct rlimit before, small = { .rlim_cur = 16384 };
        sqlite3 *db = NULL;
        size_t count = 0;
        EXPECT_OK(rpmdb_sqlite_count(path, &count, err));
        EXPECT(count == 0);
        EXPECT_OK(rpmdb_sqlite_watch(err));
        make_database(path, two, lengthof(two));
        EXPECT_OK(rpmdb_sqlite_check(path, 2, err));
        EXPECT(!rpmdb_sqlite_check(path, 3, &fewer) && strstr(fewer.text, "2 packages instead of 3"));
        EXPECT(getrlimit(RLIMIT_FSIZE, &before) == 0 && signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        small.rlim_max = before.rlim_max;
        EXPECT(setrlimit(RLIMIT_FSIZE, &small) == 0 && sqlite3_open(path, &db) == SQLITE_OK);
        EXPECT(sqlite3_exec(db,
                            "SAVEPOINT 'rwlock'; INSERT INTO Packages VALUES (3, zeroblob(65536)); RELEASE 'rwlock'",
                            NULL, NULL, NULL) != SQLITE_OK);
        EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0 && sqlite3_close(db) == SQLITE_OK);
        EXPECT(!rpmdb_sqlite_check(path, 2, &lost) && strstr(lost.text, "disk I/O error"));
}

int main(int argc, char **argv) {
        transaction_init_main(argc, argv);
        auto_err err = { 0 };
        if (!mkdtemp(work_path) || !sandbox_enter(&err) || !fs_open_dir(AT_FDCWD, work_path, &work, &err) ||
            !build_packages(&err)) {
                printf("Bail out! %s\n", err.text ? err.text : strerror(errno));
                return 1;
        }
        RUN(layers_are_made);
        if (test_failures) {
                printf("Bail out! no layers\n");
                return 1;
        }
        RUN(debians_rpm_reads_it);
        RUN(db_util_verifies);
        RUN(two_builds_are_identical);
        RUN(each_table_has_its_own_id);
        RUN(without_rpm_only_packages);
        RUN(empty_base_is_fine);
        RUN(scriptlets_ask_rpm);
        RUN(broken_rpm_is_told);
        RUN(database_may_lie_elsewhere);
        RUN(the_package_rpm_says_where_it_lies);
        RUN(rpm_4_14_may_replace_its_directory);
        RUN(damaged_tables_are_refused_or_settled);
        RUN(rows_alone_decide);
        RUN(sqlite_judges_it);
        RUN(damaged_database_is_told);
        RUN(lost_writes_are_told);
        int failed = test_done();
        layer_unmount(&mounted);
        static const char *const caches[] = { "cache", "other",     "without",  "empty",   "broken",
                                              "el8",   "el8-again", "el8-late", "sysimage" };
        for (size_t i = 0; i < lengthof(caches); i++) {
                auto_free char *mounts = xasprintf("%s/%s/mounts", work_path, caches[i]);
                umount2(mounts, MNT_DETACH);
        }
        arena_release(&arena);
        (void)!fs_remove_tree(AT_FDCWD, work_path, &err);
        return failed;
}
