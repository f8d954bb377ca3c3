// SPDX-License-Identifier: MIT
#include "rootfs/rpmdb_sqlite.h"

#include <errno.h>
#include <rpm/rpmtag.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

static const char packages_table[] = "Packages";

bool rpmdb_sqlite_fail(sqlite3 *db, const char *what, struct err *err) {
        int code = sqlite3_errcode(db), number = 0;
        if (code == SQLITE_FULL)
                number = ENOSPC;
        if (code == SQLITE_IOERR)
                number = sqlite3_system_errno(db);
        return fail(err, ERR_TRANSACTION, number, "rpm's database: %s: %s", what, sqlite3_errmsg(db));
}

// ---- what librpm does not tell ----

static int failed_code;
static char failed_message[256];

static void note_failure(void *context, int code, const char *message) {
        (void)context;
        int kind = code & 0xff; // the rest is detail
        bool loses = kind == SQLITE_IOERR || kind == SQLITE_FULL || kind == SQLITE_NOMEM || kind == SQLITE_CORRUPT;
        if (!loses || failed_code)
                return;
        failed_code = kind;
        snprintf(failed_message, sizeof failed_message, "%s", message);
}

bool rpmdb_sqlite_watch(struct err *err) {
        sqlite3_shutdown(); // settings are taken before its first use only
        failed_code = SQLITE_OK;
        return sqlite3_config(SQLITE_CONFIG_LOG, note_failure, NULL) == SQLITE_OK ||
               fail(err, ERR_INTERNAL, 0, "SQLite's errors cannot be watched");
}

bool rpmdb_sqlite_check(const char *path, size_t package_count, struct err *err) {
        size_t found;
        int number = failed_code == SQLITE_FULL ? ENOSPC : 0;
        if (failed_code)
                return fail(err, ERR_TRANSACTION, number, "rpm's database: %s: %s", sqlite3_errstr(failed_code),
                            failed_message);
        if (!rpmdb_sqlite_count(path, &found, err))
                return false;
        if (found == package_count)
                return true;
        fail(err, ERR_TRANSACTION, 0, "rpm's database holds %zu packages instead of %zu", found, package_count);
        return hint(err,
                    "rpm does not tell of writes that fail: look for errors of the disk in the kernel's log, and at "
                    "quotas");
}

static bool execute(sqlite3 *db, const char *statement, struct err *err) {
        if (sqlite3_exec(db, statement, NULL, NULL, NULL) != SQLITE_OK)
                return rpmdb_sqlite_fail(db, statement, err);
        return true;
}

// Calls back for each row of a query.
typedef bool visit_row(sqlite3 *db, sqlite3_stmt *row, void *context, struct err *err);

static bool each_row(sqlite3 *db, const char *query, visit_row *visit, void *context, struct err *err) {
        sqlite3_stmt *rows = NULL;
        if (sqlite3_prepare_v2(db, query, -1, &rows, NULL) != SQLITE_OK)
                return rpmdb_sqlite_fail(db, query, err);
        bool ok = true;
        int step = sqlite3_step(rows);
        while (ok && step == SQLITE_ROW) {
                ok = visit(db, rows, context, err);
                if (ok)
                        step = sqlite3_step(rows);
        }
        if (ok && step != SQLITE_DONE)
                ok = rpmdb_sqlite_fail(db, query, err);
        sqlite3_finalize(rows);
        return ok;
}

static bool read_count(sqlite3 *db, sqlite3_stmt *row, void *context, struct err *err) {
        (void)db;
        (void)err;
        *(size_t *)context = (size_t)sqlite3_column_int64(row, 0);
        return true;
}

bool rpmdb_sqlite_count(const char *path, size_t *ret_count, struct err *err) {
        sqlite3 *db = NULL;
        *ret_count = 0;
        if (access(path, F_OK) < 0)
                return true;
        bool ok =
            sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK || rpmdb_sqlite_fail(db, "open", err);
        ok = ok && each_row(db, "SELECT count(*) FROM Packages", read_count, ret_count, err);
        sqlite3_close(db);
        return ok;
}

static bool read_number(sqlite3 *db, sqlite3_stmt *row, void *context, struct err *err) {
        sqlite3_int64 number = sqlite3_column_int64(row, 0); // 0 for NULL
        (void)db;
        if (number < 0 || number > INT32_MAX)
                return fail(err, ERR_TRANSACTION, 0, "rpm's database holds a malformed header");
        *(uint32_t *)context = (uint32_t)number;
        return true;
}

bool rpmdb_sqlite_highest(sqlite3 *db, uint32_t *ret_number, struct err *err) {
        return each_row(db, "SELECT max(hnum) FROM Packages", read_number, ret_number, err);
}

// ---- headers ----

static uint32_t big_endian(const unsigned char *bytes) {
        return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

// librpm 4.18 takes the clock for a header's install time, whatever the transaction's own time is, and cannot export a
// header that was changed. A header is two counts (entries, data bytes), entries {tag, type, offset, count}, data; all
// big-endian 32-bit numbers (rpm's manual, "Package format").
static bool set_install_time(unsigned char *blob, size_t size, int64_t seconds) {
        enum { COUNTS_BYTES = 8, ENTRY_BYTES = 16 };
        if (size < COUNTS_BYTES)
                return false;
        size_t entries = big_endian(blob), data_bytes = big_endian(blob + 4);
        if (entries > (size - COUNTS_BYTES) / ENTRY_BYTES || size - COUNTS_BYTES - entries * ENTRY_BYTES < data_bytes)
                return false;
        unsigned char *data = blob + COUNTS_BYTES + entries * ENTRY_BYTES;
        for (size_t i = 0; i < entries; i++) {
                const unsigned char *entry = blob + COUNTS_BYTES + i * ENTRY_BYTES;
                size_t offset = big_endian(entry + 8);
                if (big_endian(entry) != RPMTAG_INSTALLTIME || big_endian(entry + 4) != RPM_INT32_TYPE)
                        continue;
                if (data_bytes < 4 || offset > data_bytes - 4)
                        return false;
                for (int byte = 0; byte < 4; byte++)
                        data[offset + byte] = (unsigned char)((uint32_t)seconds >> (24 - 8 * byte));
                return true;
        }
        return false;
}

struct packages {
        sqlite3_stmt *insert;
        int64_t install_time;
};

static bool fail_header(struct err *err) {
        return fail(err, ERR_TRANSACTION, 0, "rpm's database holds a malformed header");
}

static bool copy_package(sqlite3 *db, sqlite3_stmt *row, void *context, struct err *err) {
        const struct packages *packages = context;
        int size = sqlite3_column_bytes(row, 1);
        if (size <= 0)
                return fail_header(err);
        auto_free unsigned char *blob = xmalloc((size_t)size);
        memcpy(blob, sqlite3_column_blob(row, 1), (size_t)size);
        if (!set_install_time(blob, (size_t)size, packages->install_time))
                return fail_header(err);
        sqlite3_stmt *insert = packages->insert;
        bool bound = sqlite3_bind_int64(insert, 1, sqlite3_column_int64(row, 0)) == SQLITE_OK &&
                     sqlite3_bind_blob(insert, 2, blob, size, SQLITE_STATIC) == SQLITE_OK;
        bool inserted = bound && sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK;
        return inserted || rpmdb_sqlite_fail(db, "write a package", err);
}

static bool copy_packages(sqlite3 *db, int64_t install_time, struct err *err) {
        static const char insert[] = "INSERT INTO main.Packages (hnum, blob) VALUES (?, ?)";
        struct packages packages = { .install_time = install_time };
        if (sqlite3_prepare_v2(db, insert, -1, &packages.insert, NULL) != SQLITE_OK)
                return rpmdb_sqlite_fail(db, "prepare", err);
        bool ok = each_row(db, "SELECT hnum, blob FROM old.Packages ORDER BY hnum", copy_package, &packages, err);
        sqlite3_finalize(packages.insert);
        return ok;
}

// ---- the new database ----

static bool create_object(sqlite3 *db, sqlite3_stmt *row, void *context, struct err *err) {
        (void)context;
        return execute(db, (const char *)sqlite3_column_text(row, 0), err);
}

// In the order of their keys: the order in which packages were installed is that of their numbers.
static bool copy_table(sqlite3 *db, sqlite3_stmt *row, void *context, struct err *err) {
        const int64_t *install_time = context;
        const char *name = (const char *)sqlite3_column_text(row, 0);
        if (strcmp(name, packages_table) == 0)
                return copy_packages(db, *install_time, err);
        char *statement = sqlite3_mprintf("INSERT INTO main.\"%w\" (key, hnum, idx) SELECT key, hnum, idx "
                                          "FROM old.\"%w\" ORDER BY key, hnum, idx",
                                          name, name);
        bool ok = execute(db, statement, err);
        sqlite3_free(statement);
        return ok;
}

// Numbers in the header of the file itself, in which librpm keeps nothing yet.
static bool copy_pragma(sqlite3 *db, sqlite3_stmt *row, void *context, struct err *err) {
        char *statement = sqlite3_mprintf("PRAGMA main.%s=%d", (const char *)context, sqlite3_column_int(row, 0));
        bool ok = execute(db, statement, err);
        sqlite3_free(statement);
        return ok;
}

// Tables named sqlite_* are the library's own: what it needs of them it makes by itself; statistics about tables depend
// on when they were gathered.
#define OBJECTS "FROM old.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND type="

static bool write_anew(sqlite3 *db, int64_t install_time, struct err *err) {
        return each_row(db, "PRAGMA old.user_version", copy_pragma, (char[]){ "user_version" }, err) &&
               each_row(db, "PRAGMA old.application_id", copy_pragma, (char[]){ "application_id" }, err) &&
               execute(db, "BEGIN", err) &&
               each_row(db, "SELECT sql " OBJECTS "'table' ORDER BY name", create_object, NULL, err) &&
               each_row(db, "SELECT name " OBJECTS "'table' ORDER BY name", copy_table, &install_time, err) &&
               each_row(db, "SELECT sql " OBJECTS "'index' ORDER BY name", create_object, NULL, err) &&
               execute(db, "COMMIT", err);
}

// No journal: a file that was not finished is thrown away, together with the tree around it.
static bool write_settled(sqlite3 *db, const char *old, int64_t install_time, struct err *err) {
        static const char *const settings[] = { "PRAGMA temp_store=MEMORY", "PRAGMA page_size=4096",
                                                "PRAGMA encoding='UTF-8'",  "PRAGMA auto_vacuum=NONE",
                                                "PRAGMA journal_mode=OFF",  "PRAGMA synchronous=OFF" };
        for (size_t i = 0; i < lengthof(settings); i++)
                if (!execute(db, settings[i], err))
                        return false;
        char *attach = sqlite3_mprintf("ATTACH %Q AS old", old);
        bool ok = execute(db, attach, err) && write_anew(db, install_time, err);
        sqlite3_free(attach);
        return ok;
}

static bool remove_if_there(const char *path, const char *suffix, struct err *err) {
        auto_free char *name = xasprintf("%s%s", path, suffix);
        return unlink(name) == 0 || errno == ENOENT || fail(err, ERR_SYSTEM, errno, "remove %s", name);
}

static bool replace_database(const char *path, const char *fresh, struct err *err) {
        struct stat stat;
        if (lstat(path, &stat) < 0 || chmod(fresh, stat.st_mode & 07777) < 0 || rename(fresh, path) < 0)
                return fail(err, ERR_SYSTEM, errno, "rpm's database: replace %s", path);
        return remove_if_there(path, "-wal", err) && remove_if_there(path, "-shm", err);
}

bool rpmdb_sqlite_settle(const char *path, int64_t install_time, struct err *err) {
        auto_free char *fresh = xasprintf("%s.settled", path);
        sqlite3 *db = NULL;
        if (access(path, F_OK) < 0)
                return fail(err, ERR_TRANSACTION, errno, "rpm's database: open %s", path);
        if (!remove_if_there(fresh, "", err))
                return false;
        bool ok = sqlite3_open_v2(fresh, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK ||
                  rpmdb_sqlite_fail(db, "open", err);
        ok = ok && write_settled(db, path, install_time, err);
        if (sqlite3_close(db) != SQLITE_OK && ok)
                ok = rpmdb_sqlite_fail(db, "close", err);
        return ok && replace_database(path, fresh, err);
}
