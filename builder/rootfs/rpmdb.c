#include "rootfs/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

#include "base/fs.h"

static bool fail_sqlite(sqlite3 *db, const char *what, struct err *err) {
        int code = sqlite3_extended_errcode(db);
        return fail(err, ERR_TRANSACTION, code == SQLITE_FULL ? ENOSPC : 0, "rpm's database: %s: %s", what,
                    sqlite3_errmsg(db));
}

// One file without journal, whose bits follow from its rows alone: no free pages, no write-ahead log.
static bool settle_sqlite(int64_t source_date_epoch, struct err *err) {
        static const char *const statements[] = { "PRAGMA temp_store=MEMORY", "PRAGMA wal_checkpoint(TRUNCATE)",
                                                  "PRAGMA journal_mode=DELETE", "PRAGMA synchronous=OFF", "VACUUM" };
        (void)source_date_epoch;
        sqlite3 *db = NULL;
        bool ok = true;
        if (sqlite3_open_v2("/var/lib/rpm/rpmdb.sqlite", &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
                ok = fail_sqlite(db, "open", err);
        for (size_t i = 0; ok && i < lengthof(statements); i++)
                if (sqlite3_exec(db, statements[i], NULL, NULL, NULL) != SQLITE_OK)
                        ok = fail_sqlite(db, statements[i], err);
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
