// SPDX-License-Identifier: MIT
// The image's own rpm must read what librpm wrote. librpm 4.18 writes sqlite only; an rpm before 4.16 reads Berkeley DB
// only. For such a release librpm's database is translated: its headers become `Packages`, of which the image's rpm
// makes the indexes (the only judge of what its indexes hold) in a directory of its own; an image without rpm carries
// `Packages` alone, enough for any rpm that is added later. librpm's database leaves the tree and is kept beside it in
// the cache, where a role layer's transaction finds it.
#include "rootfs/rpmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sqlite3.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "rootfs/bdb.h"
#include "rootfs/rpmdb_sqlite.h"
#include "rootfs/tree.h"

static const char database_dir[] = "/var/lib/rpm", sqlite_name[] = "rpmdb.sqlite";
static const char sqlite_path[] = "/var/lib/rpm/rpmdb.sqlite";

bool rpmdb_begin(size_t *ret_count, struct err *err) {
        return rpmdb_sqlite_watch(err) && rpmdb_sqlite_count(sqlite_path, ret_count, err);
}

bool rpmdb_check(size_t package_count, struct err *err) { return rpmdb_sqlite_check(sqlite_path, package_count, err); }

// ---- Berkeley DB ----

static const char packages_table[] = "/var/lib/rpm/Packages";
// Where the image's rpm makes its tables: it replaces the whole directory (rpm 4.14), or writes beside it (4.11).
static const char workshop[] = "/var/lib/rpm/.kiln", new_dir[] = "/var/lib/rpm/.kiln/rpm",
                  new_packages_table[] = "/var/lib/rpm/.kiln/rpm/Packages";

static bool open_database_dir(int root, int *ret_fd, struct err *err) {
        return fs_open_in_root(root, database_dir, O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
}

// Shared memory of processes that used the tables.
static bool is_region(const char *name) { return fnmatch("__db.*", name, 0) == 0 || strcmp(name, ".dbenv.lock") == 0; }

static bool remove_database_file(const struct fs_entry *entry, struct err *err) {
        return unlinkat(entry->parent, entry->name, 0) == 0 ||
               fail(err, ERR_SYSTEM, errno, "remove %s/%s", database_dir, entry->name);
}

static bool remove_region_or_table(const struct fs_entry *entry, void *context, struct err *err) {
        (void)context;
        *entry->descend = false;
        if (!is_region(entry->name) && !bdb_is_table(entry->parent, entry->name))
                return true;
        return remove_database_file(entry, err);
}

// Which tables there are is the image's rpm's to know: 4.14 makes seven more than 4.11.
static bool move_table(const struct fs_entry *entry, void *context, struct err *err) {
        const int *to = context;
        *entry->descend = false;
        if (!bdb_is_table(entry->parent, entry->name))
                return true;
        if (!bdb_settle_file(entry->parent, entry->name, err))
                return false;
        return renameat(entry->parent, entry->name, *to, entry->name) == 0 ||
               fail(err, ERR_SYSTEM, errno, "move %s/%s", new_dir, entry->name);
}

static bool put_header(sqlite3_stmt *row, struct bdb_writer *writer, uint32_t *ret_number, struct err *err) {
        sqlite3_int64 number = sqlite3_column_int64(row, 0);
        int size = sqlite3_column_bytes(row, 1);
        if (number <= 0 || number > INT32_MAX || size <= 0)
                return fail(err, ERR_TRANSACTION, 0, "rpm's database holds a malformed header");
        *ret_number = (uint32_t)number;
        return bdb_put(writer, *ret_number, sqlite3_column_blob(row, 1), (size_t)size, err);
}

static bool put_headers(sqlite3 *db, sqlite3_stmt *rows, struct bdb_writer *writer, size_t *ret_count,
                        struct err *err) {
        uint32_t highest = 0;
        int step = sqlite3_step(rows);
        for (*ret_count = 0; step == SQLITE_ROW; step = sqlite3_step(rows)) {
                if (!put_header(rows, writer, &highest, err))
                        return false;
                ++*ret_count;
        }
        if (step != SQLITE_DONE)
                return rpmdb_sqlite_fail(db, "read", err);
        return bdb_put(writer, 0, &highest, sizeof highest, err);
}

// Those that librpm numbered later than `after`.
static bool write_headers(sqlite3 *db, uint32_t after, struct bdb_writer *writer, size_t *ret_count, struct err *err) {
        auto_free char *query = xasprintf("SELECT hnum, blob FROM Packages WHERE hnum > %u ORDER BY hnum", after);
        sqlite3_stmt *rows = NULL;
        if (sqlite3_prepare_v2(db, query, -1, &rows, NULL) != SQLITE_OK)
                return rpmdb_sqlite_fail(db, "prepare", err);
        bool ok = put_headers(db, rows, writer, ret_count, err);
        sqlite3_finalize(rows);
        return ok;
}

static bool write_packages_from(sqlite3 *db, size_t *ret_count, struct err *err) {
        struct bdb_writer *writer;
        if (!bdb_create(new_packages_table, &writer, err))
                return false;
        bool written = write_headers(db, 0, writer, ret_count, err);
        auto_err ignored = { 0 };
        struct err *closing = written ? err : &ignored; // the first error is the one to tell
        bool closed = bdb_close(writer, closing);
        return written && closed;
}

// `Packages` of librpm's own database.
static bool write_packages(size_t *ret_count, struct err *err) {
        sqlite3 *db = NULL;
        bool ok = sqlite3_open_v2(sqlite_path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ||
                  rpmdb_sqlite_fail(db, "open", err);
        ok = ok && write_packages_from(db, ret_count, err);
        sqlite3_close(db);
        return ok;
}

static const char *find_rpm(void) {
        static const char *const programs[] = { "/usr/bin/rpm", "/bin/rpm" };
        for (size_t i = 0; i < lengthof(programs); i++)
                if (access(programs[i], X_OK) == 0)
                        return programs[i];
        return NULL;
}

// The first number of "RPM version 4.11.3", and the one behind its dot.
static bool parse_rpm_version(const char *text, unsigned long *ret_major, unsigned long *ret_minor) {
        const char *version = strpbrk(text, "0123456789");
        char *dot = NULL;
        if (!version)
                return false;
        *ret_major = strtoul(version, &dot, 10);
        if (*dot != '.')
                return false;
        *ret_minor = strtoul(dot + 1, NULL, 10);
        return true;
}

// NULL if the image has no rpm, or a later one, which reads `Packages` as it is and would write another kind.
static bool find_indexer(const char **ret_program, struct err *err) {
        const char *program = find_rpm();
        unsigned long major, minor;
        auto_buf output = { .max = 65536 };
        *ret_program = NULL;
        if (!program)
                return true;
        const char *const argv[] = { program, "--version", NULL };
        if (!run(&(struct run){ .argv = argv, .output = &output }, err))
                return wrap(err, "the image's own rpm");
        if (!parse_rpm_version(buf_text(&output), &major, &minor))
                return fail(err, ERR_TRANSACTION, 0, "the image's own rpm does not say which version it is");
        bool writes_bdb = major < 4 || (major == 4 && minor < 16);
        if (writes_bdb)
                *ret_program = program;
        return true;
}

static bool make_indexes(size_t header_count, struct err *err) {
        const char *program;
        size_t records = 0;
        if (!find_indexer(&program, err))
                return false;
        if (!program)
                return true;
        if (!run_command(err, program, "--dbpath", new_dir, "--rebuilddb", NULL))
                return wrap(err, "making the indexes of rpm's database");
        if (!bdb_count(new_packages_table, &records, err))
                return false;
        if (records == header_count + 1) // and the highest number
                return true;
        if (records > 0)
                records--;
        return fail(err, ERR_TRANSACTION, 0, "the image's own rpm took %zu of %zu packages into its database", records,
                    header_count);
}

// ---- what scriptlets see ----

// `Packages` as this process wrote it last. An old rpm makes indexes that are absent, of it, when it is asked.
static struct {
        uint32_t highest; // number of a package; 0: it is to be written anew
        struct stat stat;
} shown;

static bool is_as_shown(void) {
        struct stat now;
        return lstat(packages_table, &now) == 0 && now.st_ino == shown.stat.st_ino &&
               now.st_size == shown.stat.st_size && memcmp(&now.st_mtim, &shown.stat.st_mtim, sizeof now.st_mtim) == 0;
}

static bool remove_stale_index(const struct fs_entry *entry, void *context, struct err *err) {
        if (strcmp(entry->name, "Packages") != 0)
                return remove_region_or_table(entry, context, err);
        *entry->descend = false;
        return true;
}

static bool open_shown(struct bdb_writer **ret, struct err *err) {
        if (shown.highest > 0)
                return bdb_open(packages_table, ret, err);
        return bdb_create(packages_table, ret, err);
}

static bool remove_what_is_stale(struct err *err) {
        auto_close int dir = -1;
        if (!fs_open_dir(AT_FDCWD, database_dir, &dir, err))
                return false;
        if (shown.highest > 0)
                return fs_walk(dir, remove_stale_index, NULL, err);
        return fs_walk(dir, remove_region_or_table, NULL, err);
}

static bool append_shown(sqlite3 *db, uint32_t highest, struct err *err) {
        struct bdb_writer *writer;
        size_t count;
        auto_err ignored = { 0 };
        if (!remove_what_is_stale(err) || !open_shown(&writer, err))
                return false;
        bool written = write_headers(db, shown.highest, writer, &count, err);
        struct err *closing = &ignored; // the first error is the one to tell
        if (written)
                closing = err;
        bool closed = bdb_close(writer, closing);
        if (!written || !closed)
                return false;
        shown.highest = highest;
        return lstat(packages_table, &shown.stat) == 0 || fail(err, ERR_SYSTEM, errno, "stat %s", packages_table);
}

static bool show_packages(sqlite3 *db, struct err *err) {
        uint32_t highest = 0;
        if (!rpmdb_sqlite_highest(db, &highest, err))
                return false;
        if (!is_as_shown()) // a scriptlet's rpm wrote to it, or nobody has yet
                shown.highest = 0;
        return highest == shown.highest || append_shown(db, highest, err);
}

static bool show_bdb(struct err *err) {
        sqlite3 *db = NULL;
        if (!find_rpm() || access(sqlite_path, F_OK) < 0)
                return true;
        bool ok = sqlite3_open_v2(sqlite_path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ||
                  rpmdb_sqlite_fail(db, "open", err);
        ok = ok && show_packages(db, err);
        sqlite3_close(db);
        return ok;
}

// ---- at the end ----

static bool settle_sqlite(int64_t source_date_epoch, struct err *err) {
        return rpmdb_sqlite_settle(sqlite_path, source_date_epoch, err);
}

static bool make_tables(struct err *err) {
        size_t count = 0;
        return fs_mkdirs(AT_FDCWD, new_dir, 0755, err) && write_packages(&count, err) && make_indexes(count, err);
}

static bool move_tables(int to, struct err *err) {
        auto_close int from = -1;
        return fs_open_dir(AT_FDCWD, new_dir, &from, err) && fs_walk(from, move_table, &to, err);
}

static bool finish_bdb(int64_t source_date_epoch, struct err *err) {
        auto_close int dir = -1;
        if (!settle_sqlite(source_date_epoch, err) || !fs_open_dir(AT_FDCWD, database_dir, &dir, err))
                return false;
        return fs_remove_tree(AT_FDCWD, workshop, err) && fs_walk(dir, remove_region_or_table, NULL, err) &&
               make_tables(err) && move_tables(dir, err) && fs_remove_tree(AT_FDCWD, workshop, err);
}

// ---- backends ----

static const struct rpmdb_backend backends[] = {
        { "sqlite", "sqlite", false, settle_sqlite, NULL },
        { "bdb", "sqlite", true, finish_bdb, show_bdb },
};

bool rpmdb_find(const char *name, const struct rpmdb_backend **ret, struct err *err) {
        for (size_t i = 0; i < lengthof(backends); i++)
                if (strcmp(backends[i].name, name) == 0) {
                        *ret = &backends[i];
                        return true;
                }
        return fail(err, ERR_TRANSACTION, 0,
                    "the release wants rpm's database as \"%s\", which this kiln cannot write (it writes: sqlite, bdb)",
                    name);
}

bool rpmdb_restore(const struct rpmdb_backend *backend, int kept, int root, struct err *err) {
        auto_close int dir = -1;
        if (!backend->aside)
                return true;
        bool has_packages = fs_exists(kept, sqlite_name) || tree_exists(root, packages_table);
        if (!has_packages)
                return true;
        return open_database_dir(root, &dir, err) && fs_link_or_copy(kept, sqlite_name, dir, sqlite_name, err);
}

bool rpmdb_keep(const struct rpmdb_backend *backend, int root, int kept, struct err *err) {
        auto_close int dir = -1;
        if (!backend->aside)
                return true;
        if (!tree_exists(root, sqlite_path)) {
                if (!tree_exists(root, packages_table))
                        return true; // nothing was ever installed
                return fail(err, ERR_TRANSACTION, 0, "%s is gone: a scriptlet or the image's own rpm removed it",
                            sqlite_path);
        }
        if (!open_database_dir(root, &dir, err))
                return false;
        // What is kept is read outside of the sandbox: a link, which a scriptlet can put there, would lead to the host.
        struct stat stat;
        if (fstatat(dir, sqlite_name, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(stat.st_mode))
                return fail(err, ERR_TRANSACTION, 0, "%s is no file any more: a scriptlet replaced it", sqlite_path);
        if (!fs_link_or_copy(dir, sqlite_name, kept, sqlite_name, err))
                return false;
        return unlinkat(dir, sqlite_name, 0) == 0 || fail(err, ERR_SYSTEM, errno, "remove rpm's own database");
}
