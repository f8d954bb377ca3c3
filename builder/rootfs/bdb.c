// SPDX-License-Identifier: MIT
#include "rootfs/bdb.h"

#include <assert.h>
#include <db.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum { PAGE_BYTES = 4096, LITTLE_ENDIAN_ORDER = 1234, CACHE_BYTES = 32 << 20 };

struct bdb_writer {
        DB *db;
        char *path;
};

static bool fail_bdb(int code, const char *path, const char *what, struct err *err) {
        bool is_errno = code > 0; // libdb's own codes are negative
        if (is_errno)
                return fail(err, ERR_TRANSACTION, code, "rpm's database: %s %s", what, path);
        return fail(err, ERR_TRANSACTION, 0, "rpm's database: %s %s: %s", what, path, db_strerror(code));
}

// Where the tree lies must not decide the page size, which libdb takes from the file system.
static int open_new(DB *db, const char *path) {
        int code = db->set_pagesize(db, PAGE_BYTES);
        if (code == 0)
                code = db->set_lorder(db, LITTLE_ENDIAN_ORDER);
        if (code == 0)
                code = db->set_cachesize(db, 0, CACHE_BYTES, 1);
        if (code == 0)
                code = db->open(db, NULL, path, NULL, DB_HASH, DB_CREATE | DB_EXCL, 0644);
        return code;
}

static int open_old(DB *db, const char *path) {
        int code = db->set_cachesize(db, 0, CACHE_BYTES, 1);
        if (code == 0)
                code = db->open(db, NULL, path, NULL, DB_HASH, 0, 0);
        return code;
}

static bool make_writer(const char *path, int (*open_table)(DB *, const char *), const char *what,
                        struct bdb_writer **ret, struct err *err) {
        DB *db = NULL;
        int code = db_create(&db, NULL, 0);
        if (code == 0)
                code = open_table(db, path);
        if (code != 0) {
                if (db)
                        db->close(db, DB_NOSYNC);
                return fail_bdb(code, path, what, err);
        }
        struct bdb_writer *writer = xmalloc(sizeof *writer);
        *writer = (struct bdb_writer){ db, xstrdup(path) };
        *ret = writer;
        return true;
}

bool bdb_create(const char *path, struct bdb_writer **ret, struct err *err) {
        return make_writer(path, open_new, "make", ret, err);
}

bool bdb_open(const char *path, struct bdb_writer **ret, struct err *err) {
        return make_writer(path, open_old, "open", ret, err);
}

bool bdb_put(struct bdb_writer *writer, uint32_t number, const void *data, size_t size, struct err *err) {
        assert(writer);
        DBT key = { .data = &number, .size = sizeof number };
        DBT value = { .data = (void *)(uintptr_t)data, .size = (u_int32_t)size };
        if (size > UINT32_MAX)
                return fail(err, ERR_TRANSACTION, 0, "rpm's database: a record of %zu bytes", size);
        int code = writer->db->put(writer->db, NULL, &key, &value, 0);
        return code == 0 || fail_bdb(code, writer->path, "write", err);
}

bool bdb_close(struct bdb_writer *writer, struct err *err) {
        int code = writer->db->close(writer->db, 0);
        bool ok = code == 0 || fail_bdb(code, writer->path, "write", err);
        free(writer->path);
        free(writer);
        return ok;
}

static int count_records(DB *db, size_t *ret_count) {
        DBC *cursor = NULL;
        DBT key = { 0 }, value = { .flags = DB_DBT_PARTIAL }; // of length 0: the records themselves are not wanted
        int code = db->cursor(db, NULL, &cursor, 0);
        *ret_count = 0;
        while (code == 0) {
                code = cursor->get(cursor, &key, &value, DB_NEXT);
                if (code == 0)
                        ++*ret_count;
        }
        if (cursor)
                cursor->close(cursor);
        bool at_end = code == DB_NOTFOUND;
        return at_end ? 0 : code;
}

bool bdb_count(const char *path, size_t *ret_count, struct err *err) {
        DB *db = NULL;
        size_t count = 0;
        int code = db_create(&db, NULL, 0);
        if (code == 0)
                code = db->open(db, NULL, path, NULL, DB_UNKNOWN, DB_RDONLY, 0);
        if (code == 0)
                code = count_records(db, &count);
        if (db)
                db->close(db, 0);
        if (code != 0)
                return fail_bdb(code, path, "read", err);
        *ret_count = count;
        return true;
}
