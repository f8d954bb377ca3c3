// SPDX-License-Identifier: MIT
// Reads a lock file: one line after the other, one field after the other. Only what lock_file_format() writes is read,
// so that a lock has one spelling and a diff shows what changed.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "selection/lock_file.h"

enum { LOCK_MAX_BYTES = 64 << 20 };

struct lock_parser {
        const char *name, *text, *end;
        const char *next;  // the next byte
        const char *begun; // of the field that was read last
        struct lock_file *lock;
        struct err *err;
};

// What probably happened to the file, by the byte where reading stopped.
static const char *advice_for(char byte) {
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

static bool refuse_lock(const struct lock_parser *parser, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse_lock(const struct lock_parser *parser, const char *at, const char *format, ...) {
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
        char byte = '\0';
        if (at < parser->end)
                byte = *at;
        return hint(parser->err, "%s", advice_for(byte));
}

static bool is_field_byte(char byte) { return byte > ' ' && byte < 0x7f; }

// The bytes up to the next space or newline, which must be there and is left for the caller.
static bool read_lock_field(struct lock_parser *parser, const char *what, const char **ret) {
        const char *end = parser->next;
        while (end < parser->end && is_field_byte(*end))
                end++;
        parser->begun = parser->next;
        if (end == parser->next)
                return refuse_lock(parser, end, "%s is missing", what);
        if (end == parser->end)
                return refuse_lock(parser, end, "the file ends in the middle of a line");
        *ret = arena_strndup(&parser->lock->arena, parser->next, (size_t)(end - parser->next));
        parser->next = end;
        return true;
}

static bool expect_byte(struct lock_parser *parser, char byte, const char *problem) {
        if (parser->next == parser->end || *parser->next != byte)
                return refuse_lock(parser, parser->next, "%s", problem);
        parser->next++;
        return true;
}

static bool expect_space(struct lock_parser *parser) { return expect_byte(parser, ' ', "one space is expected here"); }

static bool expect_line_end(struct lock_parser *parser) {
        return expect_byte(parser, '\n', "the line should end here");
}

static bool expect_word(struct lock_parser *parser, const char *word) {
        const char *found = "";
        if (!read_lock_field(parser, word, &found))
                return false;
        if (strcmp(found, word) != 0)
                return refuse_lock(parser, parser->begun, "`%s` is expected here", word);
        return expect_space(parser);
}

static bool is_lock_name(const char *text) {
        for (const char *next = text; *next; next++)
                if (!isalnum((unsigned char)*next) && !strchr("._-+", *next))
                        return false;
        return isalnum((unsigned char)*text) || *text == '_';
}

static bool is_hex(const char *text, size_t length) {
        return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

static bool read_lock_name(struct lock_parser *parser, const char *what, const char **ret) {
        if (!read_lock_field(parser, what, ret))
                return false;
        if (!is_lock_name(*ret))
                return refuse_lock(parser, parser->begun, "`%s` is not a name", *ret);
        return true;
}

// The digests that a lock may have, with the number of their digits.
static const struct digest_kind {
        const char *type;
        size_t length;
} digest_kinds[] = { { "sha256", 64 }, { "sha512", 128 }, { "sha384", 96 }, { "sha224", 56 }, { "sha1", 40 } };

// The kind that `text` names before its colon; NULL: none.
static const struct digest_kind *find_digest_kind(const char *text) {
        size_t length = strcspn(text, ":");
        if (!text[length])
                return NULL;
        for (size_t i = 0; i < lengthof(digest_kinds); i++)
                if (strlen(digest_kinds[i].type) == length && strncmp(text, digest_kinds[i].type, length) == 0)
                        return &digest_kinds[i];
        return NULL;
}

static bool read_lock_digest(struct lock_parser *parser, const char **ret_type, const char **ret_hex) {
        const char *text = "";
        if (!read_lock_field(parser, "a digest", &text))
                return false;
        const struct digest_kind *kind = find_digest_kind(text);
        if (!kind)
                return refuse_lock(parser, parser->begun, "a digest is expected here, as in sha256:0123...");
        size_t start = strlen(kind->type) + 1;
        if (!is_hex(text + start, kind->length))
                return refuse_lock(parser, parser->begun + start, "%s has %zu lower-case hexadecimal digits",
                                   kind->type, kind->length);
        *ret_type = kind->type;
        *ret_hex = text + start;
        return true;
}

// Decimal, without a sign or leading zeros: a number has one spelling.
static bool parse_size(const char *text, uint64_t *ret) {
        char *end = NULL;
        bool leading_zero = text[0] == '0' && text[1];
        if (!isdigit((unsigned char)*text) || leading_zero)
                return false;
        errno = 0;
        *ret = strtoull(text, &end, 10);
        return !*end && errno == 0;
}

static bool read_lock_size(struct lock_parser *parser, uint64_t *ret) {
        const char *text = "";
        if (!read_lock_field(parser, "the size", &text))
                return false;
        if (!parse_size(text, ret))
                return refuse_lock(parser, parser->begun, "`%s` is not a size in bytes", text);
        return true;
}

// The dash before VERSION in NAME-[EPOCH:]VERSION-RELEASE.ARCH; NULL: there are no two.
static const char *find_version_dash(const char *nevra, const char *release_dash) {
        for (const char *at = release_dash; at > nevra;)
                if (*--at == '-')
                        return at;
        return NULL;
}

// An epoch is optional; where there is a colon, digits are before it and a version behind it.
static bool is_epoch_and_version(const char *text, const char *end) {
        const char *colon = strchr(text, ':');
        if (!colon)
                return end > text;
        size_t digits = strspn(text, "0123456789");
        return digits > 0 && text + digits == colon && colon + 1 < end;
}

static bool is_release_and_arch(const char *text) {
        const char *dot = strrchr(text, '.');
        return dot && dot > text && dot[1];
}

// The length of NAME in NAME-[EPOCH:]VERSION-RELEASE.ARCH; 0: it is none. A "/" would make it a path.
static size_t nevra_name_length(const char *nevra) {
        const char *release = strrchr(nevra, '-');
        if (!release || strchr(nevra, '/'))
                return 0;
        const char *version = find_version_dash(nevra, release);
        if (!version || !is_epoch_and_version(version + 1, release) || !is_release_and_arch(release + 1))
                return 0;
        bool begins_as_name = isalnum((unsigned char)*nevra) || *nevra == '_';
        if (!begins_as_name)
                return 0;
        return (size_t)(version - nevra);
}

static bool read_lock_nevra(struct lock_parser *parser, struct locked_package *package) {
        if (!read_lock_field(parser, "a package", &package->nevra))
                return false;
        size_t length = nevra_name_length(package->nevra);
        if (length == 0)
                return refuse_lock(parser, parser->begun, "`%s` is not a package: NAME-[EPOCH:]VERSION-RELEASE.ARCH",
                                   package->nevra);
        package->name = arena_strndup(&parser->lock->arena, package->nevra, length);
        return true;
}

static bool is_special_user(const char *user) {
        return !strcmp(user, LOCK_ALL) || !strcmp(user, LOCK_BASE) || !strcmp(user, LOCK_BOOTLOADER);
}

static bool refuse_unknown_role(const struct lock_parser *parser, const char *at, const char *role) {
        const struct strings *roles = &parser->lock->roles;
        struct nearest nearest = { .wanted = role };
        for (size_t i = 0; i < roles->count; i++)
                nearest_offer(&nearest, roles->items[i]);
        if (nearest.best)
                return refuse_lock(parser, at, "there is no role `%s`; is %s meant?", role, nearest.best);
        return refuse_lock(parser, at, "`%s` is not among the roles of this file", role);
}

static bool check_user(const struct lock_parser *parser, const char *at, const struct strings *users,
                       const char *user) {
        if (!is_special_user(user)) {
                if (!lock_file_has_role(parser->lock, user))
                        return refuse_unknown_role(parser, at, user);
                if (strings_have(users, LOCK_ALL))
                        return refuse_lock(parser, at, "%s says `%s` already", LOCK_ALL, user);
        }
        if (users->count > 0 && strcmp(users->items[users->count - 1], user) >= 0)
                return refuse_lock(parser, at, "`%s` is out of order: these are sorted, each once", user);
        return true;
}

static bool read_lock_users(struct lock_parser *parser, struct strings *ret) {
        const char *text = "";
        if (!read_lock_field(parser, "who takes the package", &text))
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

static int compare_locked_packages(const struct locked_package *a, const struct locked_package *b) {
        int order = strcmp(a->nevra, b->nevra);
        if (order == 0)
                order = strcmp(a->repository, b->repository);
        if (order == 0)
                order = strcmp(a->checksum, b->checksum);
        return order;
}

// NEVRA, repository, size and digest, each with the space after it.
static bool read_lock_identity(struct lock_parser *parser, struct locked_package *package) {
        if (!read_lock_nevra(parser, package) || !expect_space(parser))
                return false;
        if (!read_lock_name(parser, "the repository", &package->repository) || !expect_space(parser))
                return false;
        if (!read_lock_size(parser, &package->size_bytes) || !expect_space(parser))
                return false;
        return read_lock_digest(parser, &package->checksum_type, &package->checksum) && expect_space(parser);
}

static bool read_lock_package(struct lock_parser *parser) {
        struct lock_file *lock = parser->lock;
        const char *line = parser->next;
        size_t user_lists = lock->count; // one for each package
        struct strings *users = array_append(&lock->users, &user_lists);
        struct locked_package *package = array_append(&lock->packages, &lock->count);
        if (!read_lock_identity(parser, package) || !read_lock_users(parser, users))
                return false;
        if (lock->count > 1 && compare_locked_packages(package - 1, package) >= 0)
                return refuse_lock(parser, line, "%s is out of order: packages are sorted, each once", package->nevra);
        return expect_line_end(parser);
}

static bool at_line_end(const struct lock_parser *parser) {
        return parser->next < parser->end && *parser->next == '\n';
}

static bool read_lock_role(struct lock_parser *parser) {
        struct strings *roles = &parser->lock->roles;
        const char *role = "";
        if (!read_lock_name(parser, "a role", &role))
                return false;
        if (roles->count > 0 && strcmp(roles->items[roles->count - 1], role) >= 0)
                return refuse_lock(parser, parser->begun, "`%s` is out of order: roles are sorted, each once", role);
        *array_append(&roles->items, &roles->count) = role;
        return true;
}

static bool read_lock_roles(struct lock_parser *parser) {
        if (!expect_word(parser, "roles") || !read_lock_role(parser))
                return false;
        while (!at_line_end(parser))
                if (!expect_space(parser) || !read_lock_role(parser))
                        return false;
        return expect_line_end(parser);
}

static void skip_comments(struct lock_parser *parser) {
        while (parser->next < parser->end && *parser->next == '#') {
                const char *newline = memchr(parser->next, '\n', (size_t)(parser->end - parser->next));
                if (!newline)
                        newline = parser->end - 1;
                parser->next = newline + 1;
        }
}

static bool refuse_version(const struct lock_parser *parser, const char *version) {
        (void)refuse_lock(parser, parser->begun, "format %s is not known to this kiln, which reads format %d", version,
                          LOCK_FORMAT);
        return hint(parser->err, "a newer kiln wrote it: use that one, or remove the file and lock anew");
}

static bool read_lock_version(struct lock_parser *parser) {
        const char *version = "";
        if (!expect_word(parser, "kiln-lock") || !read_lock_field(parser, "the format's version", &version))
                return false;
        if (strcmp(version, "1") != 0)
                return refuse_version(parser, version);
        return expect_line_end(parser);
}

static bool read_lock_hash(struct lock_parser *parser, const char **ret) {
        const char *type = "";
        if (!read_lock_digest(parser, &type, ret))
                return false;
        if (strcmp(type, "sha256") != 0)
                return refuse_lock(parser, parser->begun, "a sha256 digest is expected here");
        return true;
}

static bool read_cluster_line(struct lock_parser *parser) {
        return expect_word(parser, "cluster") && read_lock_name(parser, "the cluster's name", &parser->lock->cluster) &&
               expect_line_end(parser);
}

static bool read_release_line(struct lock_parser *parser) {
        struct lock_file *lock = parser->lock;
        if (!expect_word(parser, "release") || !read_lock_name(parser, "the release's name", &lock->release))
                return false;
        return expect_space(parser) && read_lock_hash(parser, &lock->release_hash) && expect_line_end(parser);
}

static bool read_profile_line(struct lock_parser *parser) {
        return expect_word(parser, "profile") && read_lock_hash(parser, &parser->lock->profile_hash) &&
               expect_line_end(parser);
}

// Everything up to the empty line before the packages.
static bool read_lock_head(struct lock_parser *parser) {
        skip_comments(parser);
        if (!read_lock_version(parser) || !read_cluster_line(parser) || !read_release_line(parser))
                return false;
        return read_profile_line(parser) && read_lock_roles(parser) && expect_line_end(parser);
}

bool lock_file_parse(const char *name, const char *text, size_t size, struct lock_file *ret, struct err *err) {
        struct lock_file lock = { 0 };
        struct lock_parser parser = {
                .name = name,
                .text = text,
                .end = text + size,
                .next = text,
                .begun = text,
                .lock = &lock,
                .err = err,
        };
        lock.path = arena_strdup(&lock.arena, name);
        bool ok = read_lock_head(&parser);
        while (ok && parser.next < parser.end)
                ok = read_lock_package(&parser);
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
