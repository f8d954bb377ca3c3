#include "rootfs/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

#include <rpm/header.h>

#include "base/fs.h"

static bool fail_sqlite(sqlite3 *db, const char *what, struct err *err) {
        int code = sqlite3_extended_errcode(db);
        return fail(err, ERR_TRANSACTION, code == SQLITE_FULL ? ENOSPC : 0, "rpm's database: %s: %s", what,
                    sqlite3_errmsg(db));
}

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

static bool rewrite_rows(sqlite3 *db, sqlite3_stmt *rows, sqlite3_stmt *update, int64_t seconds, struct err *err) {
        int step;
        while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
                int size = sqlite3_column_bytes(rows, 1);
                auto_free unsigned char *blob = xmalloc(size > 0 ? (size_t)size : 1);
                if (size > 0)
                        memcpy(blob, sqlite3_column_blob(rows, 1), (size_t)size);
                if (size <= 0 || !set_install_time(blob, (size_t)size, seconds))
                        return fail(err, ERR_TRANSACTION, 0, "rpm's database holds a malformed header");
                sqlite3_reset(update);
                if (sqlite3_bind_blob(update, 1, blob, size, SQLITE_TRANSIENT) != SQLITE_OK ||
                    sqlite3_bind_int64(update, 2, sqlite3_column_int64(rows, 0)) != SQLITE_OK ||
                    sqlite3_step(update) != SQLITE_DONE)
                        return fail_sqlite(db, "update", err);
        }
        return step == SQLITE_DONE || fail_sqlite(db, "read", err);
}

static bool set_install_times(sqlite3 *db, int64_t seconds, struct err *err) {
        sqlite3_stmt *rows = NULL, *update = NULL;
        bool ok =
            sqlite3_prepare_v2(db, "SELECT hnum, blob FROM Packages ORDER BY hnum", -1, &rows, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(db, "UPDATE Packages SET blob=? WHERE hnum=?", -1, &update, NULL) == SQLITE_OK;
        ok = ok ? rewrite_rows(db, rows, update, seconds, err) : fail_sqlite(db, "prepare", err);
        sqlite3_finalize(rows);
        sqlite3_finalize(update);
        return ok;
}

static bool execute(sqlite3 *db, const char *const *statements, size_t count, struct err *err) {
        for (size_t i = 0; i < count; i++)
                if (sqlite3_exec(db, statements[i], NULL, NULL, NULL) != SQLITE_OK)
                        return fail_sqlite(db, statements[i], err);
        return true;
}

// One file without journal, whose bits follow from its rows alone: no free pages, no write-ahead log.
static bool settle_sqlite(int64_t source_date_epoch, struct err *err) {
        static const char *const before[] = { "PRAGMA temp_store=MEMORY", "PRAGMA wal_checkpoint(TRUNCATE)",
                                              "PRAGMA journal_mode=DELETE", "PRAGMA synchronous=OFF", "BEGIN" };
        static const char *const after[] = { "COMMIT", "VACUUM" };
        sqlite3 *db = NULL;
        bool ok = sqlite3_open_v2("/var/lib/rpm/rpmdb.sqlite", &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK ||
                  fail_sqlite(db, "open", err);
        ok = ok && execute(db, before, lengthof(before), err) && set_install_times(db, source_date_epoch, err) &&
             execute(db, after, lengthof(after), err);
        sqlite3_close(db);
        return ok;
}

static const struct rpmdb_backend backends[] = {
        { "sqlite", "sqlite", settle_sqlite },
};

bool rpmdb_find(const char *name, const struct rpmdb_backend **ret, struct err *err) {
        for (size_t i = 0; i < lengthof(backends); i++)
                if (strcmp(backends[i].name, name) == 0) {
                        *ret = &backends[i];
                        return true;
                }
        return fail(err, ERR_TRANSACTION, 0,
                    "the release wants rpm's database as \"%s\", which this kiln cannot write (it writes: sqlite)",
                    name);
}
