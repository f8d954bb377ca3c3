// SPDX-License-Identifier: MIT
// What an old rpm's --rebuilddb and -q do, for images of the tests: the tables and indexes of rpm 4.11 or 4.14 in
// Berkeley DB, by a static program. Its memory is as dirty as a real one's, or dirtier: every byte that libdb leaves to
// chance is random.
#include <db.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512, HEADER_BYTES_MAX = 1 << 24 };

static const struct index {
        const char *name;
        uint32_t tag;
        DBTYPE type;
        int later; // rpm 4.14 has it, 4.11 has not
} indexes[] = {
        { "Basenames", 1117, DB_HASH },
        { "Name", 1000, DB_HASH },
        { "Group", 1016, DB_HASH },
        { "Requirename", 1049, DB_HASH },
        { "Providename", 1047, DB_HASH },
        { "Conflictname", 1054, DB_HASH },
        { "Obsoletename", 1090, DB_HASH },
        { "Triggername", 1066, DB_HASH },
        { "Dirnames", 1118, DB_BTREE },
        { "Installtid", 1128, DB_BTREE },
        { "Sigmd5", 261, DB_BTREE },
        { "Sha1header", 269, DB_HASH },
        { "Recommendname", 5046, DB_HASH, 1 },
        { "Suggestname", 5049, DB_HASH, 1 },
        { "Supplementname", 5052, DB_HASH, 1 },
        { "Enhancename", 5055, DB_HASH, 1 },
        { "Filetriggername", 5069, DB_HASH, 1 },
        { "Transfiletriggername", 5079, DB_HASH, 1 },
};
enum { INDEXES = sizeof indexes / sizeof indexes[0] };

// Whether this is the program of rpm 4.14 (-DRPM_4_14): more tables, and it replaces the directory by another.
#ifdef RPM_4_14
static const int is_4_14 = 1;
#else
static const int is_4_14 = 0;
#endif

static int is_made(int i) { return is_4_14 || !indexes[i].later; }

static void check(int code, const char *what) {
        if (code != 0) {
                fprintf(stderr, "rpm: %s: %s\n", what, db_strerror(code));
                exit(1);
        }
}

static void *dirty_malloc(size_t size) {
        unsigned char *memory = malloc(size);
        for (size_t done = 0; memory && done < size; done += 256)
                (void)!getrandom(memory + done, size - done < 256 ? size - done : 256, 0);
        return memory;
}

static DB *open_table(DB_ENV *env, const char *name, DBTYPE type, u_int32_t flags) {
        DB *db;
        check(db_create(&db, env, 0), name);
        check(db->open(db, NULL, name, NULL, type, flags, 0644), name);
        return db;
}

static void add(DB *db, const void *data, size_t size, uint32_t package, uint32_t number) {
        DBT key = { .data = (void *)data, .size = (u_int32_t)size }, value = { .flags = DB_DBT_MALLOC };
        int code = db->get(db, NULL, &key, &value, 0);
        if (code != DB_NOTFOUND)
                check(code, "get");
        size_t before = code == 0 ? value.size : 0;
        uint32_t *items = malloc(before + 8);
        if (before)
                memcpy(items, value.data, before);
        items[before / 4] = package;
        items[before / 4 + 1] = number;
        DBT joined = { .data = items, .size = (u_int32_t)before + 8 };
        check(db->put(db, NULL, &key, &joined, 0), "put");
        free(items);
}

static uint32_t big_endian(const unsigned char *bytes) {
        return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

// Types of header entries: 4 a number, 6 a string, 7 bytes, 8 strings.
static void add_header(DB **tables, const unsigned char *blob, uint32_t package) {
        uint32_t entries = big_endian(blob);
        const unsigned char *data = blob + 8 + 16 * (size_t)entries;
        for (uint32_t i = 0; i < entries; i++) {
                const unsigned char *entry = blob + 8 + 16 * (size_t)i;
                uint32_t type = big_endian(entry + 4), count = big_endian(entry + 12);
                const unsigned char *item = data + big_endian(entry + 8);
                for (size_t j = 0; j < INDEXES; j++) {
                        if (!is_made((int)j) || indexes[j].tag != big_endian(entry))
                                continue;
                        uint32_t number = type == 4 ? big_endian(item) : 0;
                        if (type == 4)
                                add(tables[j], &number, 4, package, 0);
                        else if (type == 7)
                                add(tables[j], item, count, package, 0);
                        else
                                for (uint32_t k = 0; k < count; k++, item += strlen((const char *)item) + 1)
                                        add(tables[j], item, strlen((const char *)item), package, k);
                }
        }
}

static void copy(DB *from, DB *to, DB **tables) {
        DBC *cursor;
        DBT key = { 0 }, value = { 0 };
        uint32_t last = 0;
        int code;
        check(from->cursor(from, NULL, &cursor, 0), "cursor");
        while ((code = cursor->get(cursor, &key, &value, DB_NEXT)) == 0) {
                uint32_t old;
                memcpy(&old, key.data, 4);
                if (old == 0)
                        continue;
                uint32_t number = ++last;
                DBT new_key = { .data = &number, .size = 4 };
                check(to->put(to, NULL, &new_key, &value, 0), "put");
                add_header(tables, value.data, number);
        }
        if (code != DB_NOTFOUND)
                check(code, "read");
        cursor->close(cursor);
        uint32_t zero = 0;
        DBT key0 = { .data = &zero, .size = 4 }, value0 = { .data = &last, .size = 4 };
        check(to->put(to, NULL, &key0, &value0, 0), "put");
}

// Of another size each time, often too small for the tables: pages are then written early, late or twice.
static DB_ENV *open_environment(const char *path) {
        DB_ENV *env;
        unsigned char times = 0;
        check(db_env_create(&env, 0), "environment");
        (void)!getrandom(&times, sizeof times, 0);
        check(env->set_cachesize(env, 0, (1u + times % 16 * 8) * 32768, 1), "cache size");
        check(env->open(env, path, DB_CREATE | DB_INIT_MPOOL | DB_INIT_CDB, 0644), "environment");
        return env;
}

// As rpm 4.14: the old directory is renamed and removed with all that is in it.
static void replace_directory(const char *made, const char *path) {
        char old[PATH_BYTES], command[2 * PATH_BYTES];
        snprintf(old, sizeof old, "%sold.%d", path, getpid());
        if (rename(path, old) < 0 || rename(made, path) < 0) {
                fprintf(stderr, "error: failed to replace old database with new database!\n");
                exit(1);
        }
        DIR *dir = opendir(old);
        for (const struct dirent *entry; dir && (entry = readdir(dir));) {
                snprintf(command, sizeof command, "%s/%.255s", old, entry->d_name);
                unlink(command);
        }
        if (!dir || closedir(dir) < 0 || rmdir(old) < 0) {
                perror(old);
                exit(1);
        }
}

static void rebuild(const char *path) {
        char made[PATH_BYTES], from[2 * PATH_BYTES], to[2 * PATH_BYTES];
        snprintf(made, sizeof made, "%srebuilddb.%d", path, getpid());
        if (mkdir(made, 0755) < 0) {
                perror(made);
                exit(1);
        }
        DB_ENV *old = open_environment(path), *new = open_environment(made);
        DB *tables[INDEXES], *before = open_table(old, "Packages", DB_UNKNOWN, DB_RDONLY),
                             *after = open_table(new, "Packages", DB_HASH, DB_CREATE);
        for (int i = 0; i < INDEXES; i++)
                if (is_made(i))
                        tables[i] = open_table(new, indexes[i].name, indexes[i].type, DB_CREATE);
        copy(before, after, tables);
        for (int i = 0; i < INDEXES; i++)
                if (is_made(i))
                        check(tables[i]->close(tables[i], 0), indexes[i].name);
        check(before->close(before, 0), "close");
        check(after->close(after, 0), "close");
        new->close(new, 0);
        old->close(old, 0); // leaves __db.001 and so on, as rpm does
        if (is_4_14) {
                replace_directory(made, path);
                return;
        }
        for (int i = -1; i < INDEXES; i++) {
                if (i >= 0 && !is_made(i))
                        continue;
                const char *name = i < 0 ? "Packages" : indexes[i].name;
                snprintf(from, sizeof from, "%s/%s", made, name);
                snprintf(to, sizeof to, "%s/%s", path, name);
                if (rename(from, to) < 0) {
                        perror(from);
                        exit(1);
                }
        }
        for (int i = 1; i < 9; i++) {
                snprintf(from, sizeof from, "%s/__db.%03d", made, i);
                unlink(from);
        }
        rmdir(made);
}

// All indexes are made of `Packages` if they are absent; those that are there are believed. The environment stays, and
// with it the pages that it has read.
static void open_indexes(DB_ENV *env, const char *path, DB *packages, DB **tables) {
        char file[PATH_BYTES];
        snprintf(file, sizeof file, "%s/Name", path);
        bool is_there = access(file, F_OK) == 0;
        for (int i = 0; i < INDEXES; i++)
                if (is_made(i))
                        tables[i] = open_table(env, indexes[i].name, indexes[i].type, DB_CREATE);
        if (is_there)
                return;
        DBC *cursor;
        DBT key = { 0 }, value = { 0 };
        int code;
        check(packages->cursor(packages, NULL, &cursor, 0), "cursor");
        while ((code = cursor->get(cursor, &key, &value, DB_NEXT)) == 0) {
                uint32_t number;
                memcpy(&number, key.data, 4);
                if (number != 0)
                        add_header(tables, value.data, number);
        }
        cursor->close(cursor);
}

static int query(const char *path, const char *name) {
        DB_ENV *env = open_environment(path);
        DB *packages = open_table(env, "Packages", DB_HASH, DB_RDONLY), *tables[INDEXES];
        int code = 0;
        open_indexes(env, path, packages, tables);
        for (int i = 0; i < INDEXES; i++) {
                if (!is_made(i))
                        continue;
                DBT key = { .data = (void *)name, .size = (u_int32_t)strlen(name) }, value = { .flags = DB_DBT_MALLOC };
                if (strcmp(indexes[i].name, "Name") == 0)
                        code = tables[i]->get(tables[i], NULL, &key, &value, 0);
                tables[i]->close(tables[i], 0);
        }
        packages->close(packages, 0);
        env->close(env, 0);
        printf(code == 0 ? "%s\n" : "package %s is not installed\n", name);
        return code != 0;
}

int main(int count, char **arguments) {
        const char *path = "/var/lib/rpm", *asked = NULL;
        for (int i = 1; i < count; i++) {
                if (strcmp(arguments[i], "--version") == 0)
                        return puts(is_4_14 ? "RPM version 4.14.3" : "RPM version 4.11.3") < 0;
                if (strcmp(arguments[i], "--dbpath") == 0 && i + 1 < count)
                        path = arguments[++i];
                if (strcmp(arguments[i], "-q") == 0 && i + 1 < count)
                        asked = arguments[++i];
        }
        if (open("/dev/urandom", O_RDONLY) < 0) {
                fputs("rpm: Failed to initialize NSS library\n", stderr);
                return 1;
        }
        db_env_set_func_malloc(dirty_malloc);
        if (asked)
                return query(path, asked);
        rebuild(path);
        return 0;
}
