// SPDX-License-Identifier: MIT
// The image's own rpm must read what librpm wrote. librpm 4.18 writes sqlite only; an rpm before 4.16 reads Berkeley DB
// only. For such a release librpm's database is translated: its headers become `Packages`, of which the image's rpm
// makes the indexes (the only judge of what its indexes hold); an image without rpm carries `Packages` alone, enough
// for any rpm that is added later. librpm's database leaves the tree and is kept beside it in the cache, where a role
// layer's transaction finds it.
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
static const char *const index_names[] = { "Basenames",   "Name",         "Group",        "Requirename",
                                           "Providename", "Conflictname", "Obsoletename", "Triggername",
                                           "Dirnames",    "Installtid",   "Sigmd5",       "Sha1header" };

static bool open_database_dir(int root, int *ret_fd, struct err *err) {
        return fs_open_in_root(root, database_dir, O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
}

static bool is_table(const char *name) {
        bool found = strcmp(name, "Packages") == 0;
        for (size_t i = 0; !found && i < lengthof(index_names); i++)
                found = strcmp(name, index_names[i]) == 0;
        return found;
}

// Shared memory of processes that used the tables.
static bool is_region(const char *name) { return fnmatch("__db.*", name, 0) == 0 || strcmp(name, ".dbenv.lock") == 0; }

static bool remove_file(const struct fs_entry *entry, void *context, struct err *err) {
        const bool *tables = context;
        *entry->descend = false;
        if (!is_region(entry->name) && !(*tables && is_table(entry->name)))
                return true;
        return unlinkat(entry->parent, entry->name, 0) == 0 ||
               fail(err, ERR_SYSTEM, errno, "remove %s/%s", database_dir, entry->name);
}

static bool settle_table(const struct fs_entry *entry, void *context, struct err *err) {
        (void)context;
        *entry->descend = false;
        return !is_table(entry->name) || bdb_settle_file(entry->parent, entry->name, err);
}

static bool put_headers(sqlite3 *db, sqlite3_stmt *rows, struct bdb_writer *writer, size_t *ret_count,
                        struct err *err) {
        uint32_t highest = 0;
        int step;
        for (*ret_count = 0; (step = sqlite3_step(rows)) == SQLITE_ROW; ++*ret_count) {
                sqlite3_int64 number = sqlite3_column_int64(rows, 0);
                int size = sqlite3_column_bytes(rows, 1);
                if (number <= 0 || number > INT32_MAX || size <= 0)
                        return fail(err, ERR_TRANSACTION, 0, "rpm's database holds a malformed header");
                if (!bdb_put(writer, (uint32_t)number, sqlite3_column_blob(rows, 1), (size_t)size, err))
                        return false;
                highest = (uint32_t)number;
        }
        if (step != SQLITE_DONE)
                return rpmdb_sqlite_fail(db, "read", err);
        return bdb_put(writer, 0, &highest, sizeof highest, err);
}

static bool write_table(sqlite3 *db, struct bdb_writer *writer, size_t *ret_count, struct err *err) {
        sqlite3_stmt *rows = NULL;
        bool ok = sqlite3_prepare_v2(db, "SELECT hnum, blob FROM Packages ORDER BY hnum", -1, &rows, NULL) == SQLITE_OK
                      ? put_headers(db, rows, writer, ret_count, err)
                      : rpmdb_sqlite_fail(db, "prepare", err);
        sqlite3_finalize(rows);
        return ok;
}

static bool write_packages(size_t *ret_count, struct err *err) {
        sqlite3 *db = NULL;
        struct bdb_writer *writer = NULL;
        auto_err ignored = { 0 };
        bool ok = sqlite3_open_v2(sqlite_path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ||
                  rpmdb_sqlite_fail(db, "open", err);
        ok = ok && bdb_create(packages_table, &writer, err) && write_table(db, writer, ret_count, err);
        if (writer)
                ok = bdb_close(writer, ok ? err : &ignored) && ok;
        sqlite3_close(db);
        return ok;
}

// NULL if the image has no rpm, or a later one, which reads `Packages` as it is and would write another kind.
static bool find_indexer(const char **ret_program, struct err *err) {
        static const char *const programs[] = { "/usr/bin/rpm", "/bin/rpm" };
        const char *program = NULL;
        for (size_t i = 0; !program && i < lengthof(programs); i++)
                program = access(programs[i], X_OK) == 0 ? programs[i] : NULL;
        *ret_program = NULL;
        if (!program)
                return true;
        auto_buf output = { .max = 65536 };
        const char *const argv[] = { program, "--version", NULL };
        if (!run(&(struct run){ .argv = argv, .output = &output }, err))
                return wrap(err, "the image's own rpm");
        const char *version = strpbrk(buf_text(&output), "0123456789");
        char *dot = NULL;
        unsigned long major = version ? strtoul(version, &dot, 10) : 0;
        if (!dot || *dot != '.')
                return fail(err, ERR_TRANSACTION, 0, "the image's own rpm does not say which version it is");
        unsigned long minor = strtoul(dot + 1, NULL, 10);
        if (major < 4 || (major == 4 && minor < 16))
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
        if (!run_command(err, program, "--dbpath", database_dir, "--rebuilddb", NULL))
                return wrap(err, "making the indexes of rpm's database");
        if (!bdb_count(packages_table, &records, err))
                return false;
        if (records != header_count + 1)
                return fail(err, ERR_TRANSACTION, 0, "the image's own rpm took %zu of %zu packages into its database",
                            records - (records > 0), header_count);
        return true;
}

static bool settle_sqlite(int64_t source_date_epoch, struct err *err) {
        return rpmdb_sqlite_settle(sqlite_path, source_date_epoch, err);
}

static bool finish_bdb(int64_t source_date_epoch, struct err *err) {
        auto_close int dir = -1;
        size_t count = 0;
        bool tables = true, regions_only = false;
        return settle_sqlite(source_date_epoch, err) && fs_open_dir(AT_FDCWD, database_dir, &dir, err) &&
               fs_walk(dir, remove_file, &tables, err) && write_packages(&count, err) && make_indexes(count, err) &&
               fs_walk(dir, remove_file, &regions_only, err) && fs_walk(dir, settle_table, NULL, err);
}

// ---- backends ----

static const struct rpmdb_backend backends[] = {
        { "sqlite", "sqlite", false, settle_sqlite },
        { "bdb", "sqlite", true, finish_bdb },
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
        if (!backend->aside || (!fs_exists(kept, sqlite_name) && !tree_exists(root, packages_table)))
                return true; // a layer without packages has none
        return open_database_dir(root, &dir, err) && fs_link_or_copy(kept, sqlite_name, dir, sqlite_name, err);
}

bool rpmdb_keep(const struct rpmdb_backend *backend, int root, int kept, struct err *err) {
        auto_close int dir = -1;
        if (!backend->aside || !tree_exists(root, sqlite_path))
                return true;
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
