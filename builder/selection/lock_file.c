// SPDX-License-Identifier: MIT
#include "selection/lock_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mistake.h"

enum { LOCK_MAX_BYTES = 64 << 20, FORMAT = 1 };

const char *lock_file_path(struct arena *arena, const struct cluster *cluster) {
        const char *slash = strrchr(cluster->path, '/');
        const char *dot = strrchr(cluster->path, '.');
        size_t length = dot && (!slash || dot > slash + 1) ? (size_t)(dot - cluster->path) : strlen(cluster->path);
        return arena_printf(arena, "%.*s.%s.lock", (int)length, cluster->path, cluster->release.name);
}

// ---- parsing: one line after the other, one field after the other ----

struct parser {
        const char *name, *text, *end;
        const char *next;  // the next byte
        const char *begun; // of the field that was read last
        struct lock_file *lock;
        struct err *err;
};

// What the byte where reading stopped tells of what happened to the file.
static const char *advice(char byte) {
        if (byte != '\0' && strchr("<>=|", byte))
                return "are these marks of a merge? Take one side's file whole (`git checkout --ours` or `--theirs`), "
                       "then "
                       "`kiln lock` adds what the merged profiles ask for";
        if (byte == '\r')
                return "the lines end in CR LF, as Windows has it: `*.lock -text` in .gitattributes keeps git from "
                       "doing that";
        if ((unsigned char)byte == 0xef)
                return "an editor put a byte order mark before the text: save it without";
        return "`kiln lock` writes such files; this one was altered or cut short";
}

static bool refuse(const struct parser *parser, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(const struct parser *parser, const char *at, const char *format, ...) {
        int line = 0, column = 0;
        va_list arguments;
        size_t size = (size_t)(parser->end - parser->text);
        mistake_locate(parser->text, size, (size_t)(at - parser->text), &line, &column);
        va_start(arguments, format);
        auto_free char *message = xvasprintf(format, arguments);
        va_end(arguments);
        auto_buf text = { 0 };
        buf_printf(&text, "%s:%d:%d: %s", parser->name, line, column, message);
        mistake_excerpt(&text, parser->text, size, line, column);
        fail(parser->err, ERR_SYNTAX, 0, "%s", buf_text(&text));
        return hint(parser->err, "%s", advice(at < parser->end ? *at : '\0'));
}

// The bytes up to the next space or newline, which must be there and is left for the caller.
static bool read_field(struct parser *parser, const char *what, const char **ret) {
        const char *end = parser->next;
        while (end<parser->end && * end> ' ' && *end < 0x7f)
                end++;
        parser->begun = parser->next;
        if (end == parser->next)
                return refuse(parser, end, "%s is missing", what);
        if (end == parser->end)
                return refuse(parser, end, "the file ends in the middle of a line");
        *ret = arena_strndup(&parser->lock->arena, parser->next, (size_t)(end - parser->next));
        parser->next = end;
        return true;
}

static bool expect_byte(struct parser *parser, char byte) {
        if (parser->next < parser->end && *parser->next == byte) {
                parser->next++;
                return true;
        }
        return refuse(parser, parser->next, byte == '\n' ? "the line should end here" : "one space is expected here");
}

static bool expect_word(struct parser *parser, const char *word) {
        const char *found = "";
        return read_field(parser, word, &found) &&
               (!strcmp(found, word) || refuse(parser, parser->begun, "`%s` is expected here", word)) &&
               expect_byte(parser, ' ');
}

static bool is_name(const char *text) {
        for (const char *next = text; *next; next++)
                if (!isalnum((unsigned char)*next) && !strchr("._-+", *next))
                        return false;
        return isalnum((unsigned char)*text) || *text == '_';
}

static bool is_hex(const char *text, size_t length) {
        return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

static bool read_name(struct parser *parser, const char *what, const char **ret) {
        return read_field(parser, what, ret) &&
               (is_name(*ret) || refuse(parser, parser->begun, "`%s` is not a name", *ret));
}

static bool read_digest(struct parser *parser, const char **ret_type, const char **ret_hex) {
        static const struct {
                const char *type;
                size_t length;
        } digests[] = { { "sha256", 64 }, { "sha512", 128 }, { "sha384", 96 }, { "sha224", 56 }, { "sha1", 40 } };
        const char *text = "";
        if (!read_field(parser, "a digest", &text))
                return false;
        size_t type = strcspn(text, ":");
        for (size_t i = 0; i < lengthof(digests); i++) {
                if (strlen(digests[i].type) != type || strncmp(text, digests[i].type, type) != 0 || !text[type])
                        continue;
                if (!is_hex(text + type + 1, digests[i].length))
                        return refuse(parser, parser->begun + type + 1, "%s has %zu lower-case hexadecimal digits",
                                      digests[i].type, digests[i].length);
                *ret_type = digests[i].type;
                *ret_hex = text + type + 1;
                return true;
        }
        return refuse(parser, parser->begun, "a digest is expected here, as in sha256:0123...");
}

static bool read_size(struct parser *parser, uint64_t *ret) {
        const char *text = "";
        if (!read_field(parser, "the size", &text))
                return false;
        char *end = NULL;
        errno = 0;
        *ret = strtoull(text, &end, 10);
        if (!isdigit((unsigned char)*text) || *end || errno || (*text == '0' && text[1]))
                return refuse(parser, parser->begun, "`%s` is not a size in bytes", text);
        return true;
}

// NAME-[EPOCH:]VERSION-RELEASE.ARCH
static bool read_nevra(struct parser *parser, struct locked_package *package) {
        if (!read_field(parser, "a package", &package->nevra))
                return false;
        const char *nevra = package->nevra;
        const char *dot = strrchr(nevra, '.');
        const char *release = strrchr(nevra, '-');
        const char *version = release;
        while (version && version > nevra && *--version != '-') {
        }
        size_t epoch = version ? strspn(version + 1, "0123456789") : 0;
        const char *colon = version ? strchr(version, ':') : NULL;
        bool ok = version && version > nevra && release > version + 1 && dot && dot > release + 1 && dot[1] &&
                  !strchr(nevra, '/') &&
                  (!colon || (colon == version + 1 + epoch && epoch > 0 && colon + 1 < release)) &&
                  (isalnum((unsigned char)*nevra) || *nevra == '_');
        if (!ok)
                return refuse(parser, parser->begun, "`%s` is not a package: NAME-[EPOCH:]VERSION-RELEASE.ARCH", nevra);
        package->name = arena_strndup(&parser->lock->arena, nevra, (size_t)(version - nevra));
        return true;
}

static bool has(const struct strings *list, const char *text) {
        for (size_t i = 0; i < list->count; i++)
                if (!strcmp(list->items[i], text))
                        return true;
        return false;
}

static bool check_user(const struct parser *parser, const char *at, const struct strings *users, const char *user) {
        const struct strings *roles = &parser->lock->roles;
        bool special = !strcmp(user, LOCK_ALL) || !strcmp(user, LOCK_BASE) || !strcmp(user, LOCK_BOOTLOADER);
        if (!special && !has(roles, user)) {
                struct nearest nearest = { .wanted = user };
                for (size_t i = 0; i < roles->count; i++)
                        nearest_offer(&nearest, roles->items[i]);
                return nearest.best ? refuse(parser, at, "there is no role `%s`; is %s meant?", user, nearest.best)
                                    : refuse(parser, at, "`%s` is not among the roles of this file", user);
        }
        if (!special && has(users, LOCK_ALL))
                return refuse(parser, at, "%s says `%s` already", LOCK_ALL, user);
        return !users->count || strcmp(users->items[users->count - 1], user) < 0 ||
               refuse(parser, at, "`%s` is out of order: these are sorted, each once", user);
}

static bool read_users(struct parser *parser, struct strings *ret) {
        const char *text = "";
        if (!read_field(parser, "who takes the package", &text))
                return false;
        for (const char *at = parser->begun;; text++) {
                size_t length = strcspn(text, ",");
                const char *user = arena_strndup(&parser->lock->arena, text, length);
                if (!check_user(parser, at, ret, user))
                        return false;
                *array_append(&ret->items, &ret->count) = user;
                at += length + 1;
                text += length;
                if (!*text)
                        return true;
        }
}

static int compare_packages(const struct locked_package *a, const struct locked_package *b) {
        int order = strcmp(a->nevra, b->nevra);
        order = order ? order : strcmp(a->repository, b->repository);
        return order ? order : strcmp(a->checksum, b->checksum);
}

static bool read_package(struct parser *parser) {
        struct lock_file *lock = parser->lock;
        size_t users = lock->count;
        const char *line = parser->next;
        struct strings *list = array_append(&lock->users, &users);
        struct locked_package *package = array_append(&lock->packages, &lock->count);
        if (!read_nevra(parser, package) || !expect_byte(parser, ' ') ||
            !read_name(parser, "the repository", &package->repository) || !expect_byte(parser, ' ') ||
            !read_size(parser, &package->size_bytes) || !expect_byte(parser, ' ') ||
            !read_digest(parser, &package->checksum_type, &package->checksum) || !expect_byte(parser, ' ') ||
            !read_users(parser, list))
                return false;
        if (lock->count > 1 && compare_packages(package - 1, package) >= 0)
                return refuse(parser, line, "%s is out of order: packages are sorted, each once", package->nevra);
        return expect_byte(parser, '\n');
}

static bool read_roles(struct parser *parser) {
        struct strings *roles = &parser->lock->roles;
        const char *role = "";
        if (!expect_word(parser, "roles"))
                return false;
        for (;;) {
                if (!read_name(parser, "a role", &role))
                        return false;
                if (roles->count && strcmp(roles->items[roles->count - 1], role) >= 0)
                        return refuse(parser, parser->begun, "`%s` is out of order: roles are sorted, each once", role);
                *array_append(&roles->items, &roles->count) = role;
                if (parser->next < parser->end && *parser->next == '\n')
                        return expect_byte(parser, '\n');
                if (!expect_byte(parser, ' '))
                        return false;
        }
}

static void skip_comments(struct parser *parser) {
        while (parser->next < parser->end && *parser->next == '#') {
                const char *newline = memchr(parser->next, '\n', (size_t)(parser->end - parser->next));
                parser->next = newline ? newline + 1 : parser->end;
        }
}

static bool read_version(struct parser *parser) {
        const char *version = "";
        if (!expect_word(parser, "kiln-lock") || !read_field(parser, "the format's version", &version))
                return false;
        if (strcmp(version, "1") != 0)
                return refuse(parser, parser->begun, "format %s is not known to this kiln, which reads format %d",
                              version, FORMAT) ||
                       hint(parser->err, "a newer kiln wrote it: use that one, or remove the file and lock anew");
        return expect_byte(parser, '\n');
}

static bool read_hash(struct parser *parser, const char **ret) {
        const char *type = "";
        return read_digest(parser, &type, ret) &&
               (!strcmp(type, "sha256") || refuse(parser, parser->begun, "a sha256 digest is expected here"));
}

static bool read_head(struct parser *parser) {
        struct lock_file *lock = parser->lock;
        skip_comments(parser);
        return read_version(parser) && expect_word(parser, "cluster") &&
               read_name(parser, "the cluster's name", &lock->cluster) && expect_byte(parser, '\n') &&
               expect_word(parser, "release") && read_name(parser, "the release's name", &lock->release) &&
               expect_byte(parser, ' ') && read_hash(parser, &lock->release_hash) && expect_byte(parser, '\n') &&
               expect_word(parser, "profile") && read_hash(parser, &lock->profile_hash) && expect_byte(parser, '\n') &&
               read_roles(parser) && expect_byte(parser, '\n');
}

bool lock_file_parse(const char *name, const char *text, size_t size, struct lock_file *ret, struct err *err) {
        struct lock_file lock = { 0 };
        struct parser parser = { name, text, text + size, text, text, &lock, err };
        lock.path = arena_strdup(&lock.arena, name);
        bool ok = read_head(&parser);
        while (ok && parser.next < parser.end)
                ok = read_package(&parser);
        if (!ok) {
                lock_file_release(&lock);
                return false;
        }
        *ret = lock;
        return true;
}

bool lock_file_read(const char *path, struct lock_file **ret, struct err *err) {
        auto_buf text = { .max = LOCK_MAX_BYTES };
        *ret = NULL;
        if (!fs_read(AT_FDCWD, path, &text, err)) {
                if (err->number != ENOENT)
                        return wrap(err, "lock file");
                err_release(err);
                return true;
        }
        struct lock_file lock = { 0 };
        if (!lock_file_parse(path, buf_text(&text), text.size, &lock, err))
                return false;
        *ret = xmalloc(sizeof **ret);
        **ret = lock;
        return true;
}

void lock_file_release(struct lock_file *lock) {
        for (size_t i = 0; i < lock->count; i++)
                free(lock->users[i].items);
        free(lock->users);
        free(lock->packages);
        free(lock->roles.items);
        arena_release(&lock->arena);
        *lock = (struct lock_file){ 0 };
}

void lock_file_free(struct lock_file *lock) {
        if (lock)
                lock_file_release(lock);
        free(lock);
}

bool lock_file_takes(const struct lock_file *lock, size_t package, const char *user) {
        const struct strings *users = &lock->users[package];
        return has(users, user) || (*user != '@' && has(users, LOCK_ALL) && has(&lock->roles, user));
}

// ---- writing ----

static const char head[] =
    "# Written by kiln lock, obeyed by kiln build. One line a package: NEVRA, repository, size in\n"
    "# bytes, digest, and who takes it (@all: every role, @base: the base layer).\n";

char *lock_file_format(const struct lock_file *lock) {
        struct buf text = { .max = LOCK_MAX_BYTES };
        buf_printf(&text, "%skiln-lock %d\ncluster %s\nrelease %s sha256:%s\nprofile sha256:%s\nroles", head, FORMAT,
                   lock->cluster, lock->release, lock->release_hash, lock->profile_hash);
        for (size_t i = 0; i < lock->roles.count; i++)
                buf_printf(&text, " %s", lock->roles.items[i]);
        buf_append_text(&text, "\n\n");
        for (size_t i = 0; i < lock->count; i++) {
                const struct locked_package *package = &lock->packages[i];
                buf_printf(&text, "%s %s %llu %s:%s ", package->nevra, package->repository,
                           (unsigned long long)package->size_bytes, package->checksum_type, package->checksum);
                for (size_t j = 0; j < lock->users[i].count; j++)
                        buf_printf(&text, "%s%s", j ? "," : "", lock->users[i].items[j]);
                buf_append_char(&text, '\n');
        }
        return buf_take(&text);
}

// ---- hashes ----

static void add_line(struct digest *digest, const char *key, const char *value) {
        digest_update(digest, key, strlen(key) + 1);
        digest_update(digest, value, strlen(value) + 1);
}

static void add_list(struct digest *digest, const char *key, const struct strings *list) {
        for (size_t i = 0; i < list->count; i++)
                add_line(digest, key, list->items[i]);
}

static void finish(struct digest *digest, char ret_hex[static LOCK_HEX_SIZE]) {
        char hex[DIGEST_HEX_SIZE];
        digest_final(digest, hex);
        memcpy(ret_hex, hex, LOCK_HEX_SIZE);
}

void lock_hash_release(const struct release *release, char ret_hex[static LOCK_HEX_SIZE]) {
        struct digest *digest = digest_new("sha256");
        add_line(digest, "arch", release->arch);
        add_list(digest, "excludes", &release->excludes);
        for (size_t i = 0; i < release->repository_count; i++) {
                const struct repository *repository = &release->repositories[i];
                auto_free char *priority = xasprintf("%d", repository->priority);
                add_line(digest, "repository", repository->name);
                add_line(digest, "priority", priority);
                add_list(digest, "excludes", &repository->excludes);
                add_list(digest, "includes", &repository->includes);
        }
        finish(digest, ret_hex);
}

void lock_hash_profile(const struct cluster *cluster, char ret_hex[static LOCK_HEX_SIZE]) {
        struct digest *digest = digest_new("sha256");
        add_line(digest, "kernel", cluster->release.kernel_package);
        add_list(digest, "bootloader", &cluster->release.bootloader.packages);
        for (size_t i = 0; i < cluster->role_count; i++) {
                add_line(digest, "role", cluster->roles[i].name);
                add_list(digest, "package", &cluster->roles[i].packages);
        }
        finish(digest, ret_hex);
}
