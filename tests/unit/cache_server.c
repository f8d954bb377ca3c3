// SPDX-License-Identifier: MIT
// The store of kiln cache serve: what goes first, what stays, what a restart finds; and what servers share.
#include "cache_server/store.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cache_server/cache_server.h"
#include "http/http_token.h"
#include "http/standing.h"
#include "tests/unit/test.h"

enum { BLOCK = 4096 };

static char top[] = "/tmp/kiln-cache-server-XXXXXX";

// A store of its own for each test.
static struct store *open_at(const char *name, uint64_t limit_blocks) {
        struct store *store = NULL;
        auto_free char *path = xasprintf("%s/%s", top, name);
        auto_close int dir = -1;
        EXPECT_OK(fs_mkdirs(AT_FDCWD, path, 0755, err) && fs_open_dir(AT_FDCWD, path, &dir, err));
        EXPECT_OK(store_open(dir, path, limit_blocks * BLOCK, &store, err));
        return store;
}

static bool is_on_disk(const char *store, const struct store_name *name) {
        static const char *const kinds[] = { [STORE_CAS] = "cas", [STORE_AC] = "ac" };
        auto_free char *path = xasprintf("%s/%s/%s/%s", top, store, kinds[name->kind], name->hex);
        return access(path, F_OK) == 0;
}

static bool put(struct store *store, const struct store_name *name, const void *data, size_t size, enum err_kind *ret) {
        struct store_upload *upload = NULL;
        auto_err error = { 0 };
        bool is_new = false;
        EXPECT_OK(store_upload_begin(store, name, &upload, err));
        bool ok = store_upload_add(upload, data, size, &error) && store_upload_finish(upload, &is_new, &error);
        store_upload_end(upload);
        *ret = error.kind;
        return ok && is_new;
}

// So many blocks of a letter.
static struct store_name put_content(struct store *store, char letter, size_t blocks) {
        struct store_name name = { .kind = STORE_CAS };
        char hex[DIGEST_HEX_SIZE];
        auto_free char *data = xmalloc(blocks * BLOCK);
        enum err_kind kind;
        memset(data, letter, blocks * BLOCK);
        digest_bytes("sha256", data, blocks * BLOCK, hex);
        memcpy(name.hex, hex, sizeof name.hex - 1);
        EXPECT(put(store, &name, data, blocks * BLOCK, &kind));
        return name;
}

static void flip_byte(const char *path, off_t at) {
        char byte = 0;
        auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
        EXPECT(pread(fd, &byte, 1, at) == 1);
        byte = (char)(byte ^ 1);
        EXPECT(pwrite(fd, &byte, 1, at) == 1);
}

static bool has_letters(const char *path, char letter, size_t size) {
        auto_buf text = { 0 };
        EXPECT_OK(fs_read(AT_FDCWD, path, &text, err));
        return text.size == size && text.data[0] == letter && memcmp(text.data, text.data + 1, size - 1) == 0;
}

static struct store_name put_key(struct store *store, char digit, const struct store_name *content) {
        struct store_name name = { .kind = STORE_AC };
        auto_free char *text = xasprintf("kiln cache entry 1\nkind layers\nsha256 %s\nsize 1\n", content->hex);
        enum err_kind kind;
        memset(name.hex, digit, sizeof name.hex - 1);
        EXPECT(put(store, &name, text, strlen(text), &kind));
        return name;
}

static bool read_key(struct store *store, const struct store_name *name) {
        auto_buf text = { .max = STORE_AC_MAX };
        return store_read_text(store, name, &text);
}

static bool is_readable(struct store *store, const struct store_name *name) {
        struct store_reading reading;
        if (!store_read(store, name, &reading))
                return false;
        store_read_end(store, &reading);
        return true;
}

static uint64_t blocks_of(struct store *store) {
        struct store_totals totals;
        store_count(store, &totals);
        return totals.bytes / BLOCK;
}

// ---- order ----

static void least_recently_used_goes_first(void) {
        struct store *store = open_at("order", 4);
        struct store_name a = put_content(store, 'a', 1), b = put_content(store, 'b', 1),
                          c = put_content(store, 'c', 1);
        EXPECT(is_readable(store, &a)); // used after b and c
        struct store_name d = put_content(store, 'd', 2);
        EXPECT(!is_on_disk("order", &b));
        EXPECT(is_on_disk("order", &a) && is_on_disk("order", &c) && is_on_disk("order", &d));
        struct store_name e = put_content(store, 'e', 1);
        EXPECT(!is_on_disk("order", &c) && is_on_disk("order", &a) && is_on_disk("order", &e));
        EXPECT(blocks_of(store) == 4);
        store_close(store);
}

static void keys_go_before_their_contents(void) {
        struct store *store = open_at("keys", 6);
        struct store_name shared = put_content(store, 's', 1);
        struct store_name old_key = put_key(store, '1', &shared), new_key = put_key(store, '2', &shared);
        struct store_name other = put_content(store, 'o', 1);
        EXPECT(read_key(store, &new_key)); // and so its content is used, too: the other is older than both
        struct store_name big = put_content(store, 'b', 2);
        EXPECT(blocks_of(store) == 6 && is_on_disk("keys", &old_key)); // just full
        struct store_name one = put_content(store, '1', 1);
        EXPECT(!is_on_disk("keys", &old_key) && is_on_disk("keys", &other));
        struct store_name two = put_content(store, '2', 2);
        EXPECT(!is_on_disk("keys", &other) && !is_on_disk("keys", &new_key) && is_on_disk("keys", &shared));
        EXPECT(is_on_disk("keys", &big) && is_on_disk("keys", &one) && is_on_disk("keys", &two));
        store_close(store);
}

static void key_without_content_is_not_there(void) {
        struct store *store = open_at("gone", 100);
        struct store_name content = put_content(store, 'g', 1), key = put_key(store, '7', &content);
        auto_free char *path = xasprintf("%s/gone/cas/%s", top, content.hex);
        EXPECT(read_key(store, &key));
        EXPECT(unlink(path) == 0);
        EXPECT(!read_key(store, &key) && !is_on_disk("gone", &key));
        EXPECT(!is_readable(store, &content));
        content = put_content(store, 'g', 1); // may come again
        key = put_key(store, '7', &content);
        EXPECT(read_key(store, &key));
        store_close(store);
}

static void what_is_read_stays(void) {
        struct store *store = open_at("pinned", 4);
        struct store_name a = put_content(store, 'a', 3);
        struct store_reading reading;
        enum err_kind kind;
        EXPECT(store_read(store, &a, &reading));
        struct store_name b = put_content(store, 'b', 1), wanted = { .kind = STORE_AC };
        memset(wanted.hex, '5', sizeof wanted.hex - 1);
        auto_free char *data = xcalloc(2, BLOCK);
        EXPECT(!put(store, &wanted, data, (size_t)2 * BLOCK, &kind) && kind == ERR_DISK_FULL);
        EXPECT(is_on_disk("pinned", &a) && !is_on_disk("pinned", &b)); // all that could go went
        store_read_end(store, &reading);
        EXPECT(put(store, &wanted, data, (size_t)2 * BLOCK, &kind));
        EXPECT(!is_on_disk("pinned", &a) && blocks_of(store) == 2);
        store_close(store);
}

static void restart_keeps_order(void) {
        struct store *store = open_at("again", 8);
        struct store_name a = put_content(store, 'a', 1), b = put_content(store, 'b', 1),
                          c = put_content(store, 'c', 1);
        struct store_name key = put_key(store, 'a', &a); // uses a
        EXPECT(is_readable(store, &b));
        store_close(store);
        store = open_at("again", 3); // lower than it was: c is the oldest
        EXPECT(!is_on_disk("again", &c) && is_on_disk("again", &a) && is_on_disk("again", &b));
        EXPECT(read_key(store, &key));
        struct store_name d = put_content(store, 'd', 1);
        EXPECT(!is_on_disk("again", &b) && is_on_disk("again", &a) && is_on_disk("again", &d));
        store_close(store);
}

// rsync and the like may give all files one time.
static void keys_are_older_than_contents_of_the_same_time(void) {
        struct store *store = open_at("tie", 100);
        struct store_name contents[8], keys[8];
        const struct timespec times[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };
        for (size_t i = 0; i < lengthof(keys); i++) {
                contents[i] = put_content(store, (char)('a' + i), 1);
                keys[i] = put_key(store, (char)('1' + i), &contents[i]);
                auto_free char *content = xasprintf("%s/tie/cas/%s", top, contents[i].hex);
                auto_free char *key = xasprintf("%s/tie/ac/%s", top, keys[i].hex);
                EXPECT(utimensat(AT_FDCWD, content, times, 0) == 0 && utimensat(AT_FDCWD, key, times, 0) == 0);
        }
        store_close(store);
        store = open_at("tie", 8);
        for (size_t i = 0; i < lengthof(keys); i++)
                EXPECT(!is_on_disk("tie", &keys[i]) && is_on_disk("tie", &contents[i]));
        store_close(store);
}

// A file of the year 2100 must not become the newest for ever.
static void clock_that_was_set_back_does_not_matter(void) {
        struct store *store = open_at("clock", 3);
        struct store_name a = put_content(store, 'a', 1), b = put_content(store, 'b', 1);
        auto_free char *path = xasprintf("%s/clock/cas/%s", top, a.hex);
        const struct timespec times[2] = { { .tv_sec = 4102444800 }, { .tv_sec = 4102444800 } };
        EXPECT(utimensat(AT_FDCWD, path, times, 0) == 0);
        store_close(store);
        store = open_at("clock", 3);
        EXPECT(is_readable(store, &b));
        store_close(store);
        store = open_at("clock", 3);
        struct store_name c = put_content(store, 'c', 2);
        EXPECT(!is_on_disk("clock", &a) && is_on_disk("clock", &b) && is_on_disk("clock", &c));
        store_close(store);
}

// ---- uploads ----

static void wrong_content_is_refused(void) {
        struct store *store = open_at("wrong", 8);
        struct store_name name = { .kind = STORE_CAS };
        enum err_kind kind;
        memset(name.hex, 'a', sizeof name.hex - 1);
        EXPECT(!put(store, &name, "abc", 3, &kind) && kind == ERR_CHECKSUM);
        EXPECT(!is_on_disk("wrong", &name) && blocks_of(store) == 0);
        store_close(store);
}

static void entry_that_is_there_is_not_written_again(void) {
        struct store *store = open_at("twice", 8);
        struct store_name content = put_content(store, 't', 1), key = put_key(store, '3', &content);
        struct stat before, after;
        auto_free char *path = xasprintf("%s/twice/ac/%s", top, key.hex);
        auto_free char *text = xasprintf("kiln cache entry 1\nkind layers\nsha256 %s\nsize 1\n", content.hex);
        enum err_kind kind;
        EXPECT(stat(path, &before) == 0);
        EXPECT(!put(store, &key, text, strlen(text), &kind) && kind == ERR_NONE);
        EXPECT(stat(path, &after) == 0 && before.st_ino == after.st_ino);
        EXPECT(put(store, &key, "another text", 12, &kind)); // by a key that is trusted now
        EXPECT(stat(path, &after) == 0 && before.st_ino != after.st_ino && after.st_size == 12);
        EXPECT(blocks_of(store) == 2);
        store_close(store);
}

// A disk damages what lies on it long after its digest was looked at, and its users have the right one still.
static void damaged_content_is_replaced(void) {
        enum { BLOCKS = 2, SIZE = BLOCKS * BLOCK };
        struct store *store = open_at("damaged", 8);
        struct store_name name = put_content(store, 'd', BLOCKS);
        struct store_reading reading;
        auto_free char *path = xasprintf("%s/damaged/cas/%s", top, name.hex);
        auto_free char *data = xmalloc(SIZE);
        char byte = 0;
        enum err_kind kind;
        memset(data, 'd', SIZE);
        flip_byte(path, 500);
        EXPECT(store_read(store, &name, &reading));
        EXPECT(!put(store, &name, data, SIZE, &kind) && kind == ERR_NONE);
        EXPECT(has_letters(path, 'd', SIZE) && blocks_of(store) == BLOCKS);
        EXPECT(pread(reading.fd, &byte, 1, 500) == 1 && byte == ('d' ^ 1)); // what is being sent does not change
        store_read_end(store, &reading);
        EXPECT(truncate(path, 0) == 0);
        store_close(store);
        store = open_at("damaged", 8);
        EXPECT(blocks_of(store) == 0);
        EXPECT(!put(store, &name, data, SIZE, &kind) && kind == ERR_NONE);
        EXPECT(has_letters(path, 'd', SIZE) && blocks_of(store) == BLOCKS);
        store_close(store);
}

static void only_a_store_is_opened(void) {
        struct store *store = open_at("mine", 8), *other = NULL;
        auto_free char *path = xasprintf("%s/mine", top);
        auto_free char *home = xasprintf("%s/home", top);
        auto_free char *file = xasprintf("%s/home/letter", top);
        auto_close int dir = -1;
        auto_close int home_dir = -1;
        auto_err error = { 0 };
        EXPECT_OK(fs_open_dir(AT_FDCWD, path, &dir, err));
        EXPECT(!store_open(dir, path, 0, &other, &error) && error.kind == ERR_LOCKED);
        EXPECT_OK(fs_mkdirs(AT_FDCWD, home, 0755, err) && fs_write(AT_FDCWD, file, "dear", 4, 0644, err) &&
                  fs_open_dir(AT_FDCWD, home, &home_dir, err));
        EXPECT(!store_open(home_dir, home, 0, &other, &error) && error.kind == ERR_REFERENCE);
        auto_free char *made = xasprintf("%s/home/cas", top);
        EXPECT(access(made, F_OK) < 0);
        store_close(store);
}

// ---- texts ----

static void names_are_exact(void) {
        static const char *const bad[] = { "/cas/", "/cas", "cas/", "/lock", "/tmp/0", "/ac/../cas/", "" };
        struct store_name name;
        char url[80];
        (void)snprintf(url, sizeof url, "/ac/%064d", 7);
        EXPECT(store_name_parse(url, &name) && name.kind == STORE_AC);
        (void)snprintf(url, sizeof url, "/cas/%063d", 7);
        EXPECT(!store_name_parse(url, &name));
        (void)snprintf(url, sizeof url, "/cas/%065d", 7);
        EXPECT(!store_name_parse(url, &name));
        (void)snprintf(url, sizeof url, "/cas/%063dA", 7);
        EXPECT(!store_name_parse(url, &name));
        (void)snprintf(url, sizeof url, "/casx/%064d", 7);
        EXPECT(!store_name_parse(url, &name));
        for (size_t i = 0; i < lengthof(bad); i++)
                EXPECT(!store_name_parse(bad[i], &name));
}

static void limits_are_read(void) {
        static const struct {
                const char *text;
                uint64_t bytes;
        } good[] = { { "0", 0 }, { "1000", 1000 }, { "50G", 50000000000 }, { "1.5T", 1500000000000 }, { "2k", 2000 } };
        static const char *const bad[] = { "", "G", "-1", "1e9", "5X", "1GB ", "0x10", "nan", "1..2", "99999999999T" };
        uint64_t bytes = 0;
        for (size_t i = 0; i < lengthof(good); i++) {
                EXPECT_OK(cache_limit_parse(good[i].text, &bytes, err));
                EXPECT(bytes == good[i].bytes);
        }
        for (size_t i = 0; i < lengthof(bad); i++) {
                auto_err error = { 0 };
                EXPECT(!cache_limit_parse(bad[i], &bytes, &error) && error.kind == ERR_USAGE);
        }
}

static void places_to_listen_are_read(void) {
        static const char *const bad[] = {
                "", "host:1", "1.2.3:4", "1.2.3.4:", "1.2.3.4:70000", "1.2.3.4:1x", "[::]:1"
        };
        struct in_addr address;
        unsigned port = 0;
        EXPECT_OK(cache_listen_parse("10.0.0.5:81", &address, &port, err));
        EXPECT(port == 81 && address.s_addr == htonl(0x0a000005));
        EXPECT_OK(cache_listen_parse(":0", &address, &port, err));
        EXPECT(port == 0 && address.s_addr == htonl(INADDR_ANY));
        EXPECT_OK(cache_listen_parse("127.0.0.1", &address, &port, err));
        EXPECT(port == 8480);
        for (size_t i = 0; i < lengthof(bad); i++) {
                auto_err error = { 0 };
                EXPECT(!cache_listen_parse(bad[i], &address, &port, &error) && error.kind == ERR_USAGE);
        }
}

static void token_is_all_of_it(void) {
        EXPECT(http_token_matches("Bearer 0123456789abcdef", "0123456789abcdef"));
        EXPECT(http_token_matches("bearer 0123456789abcdef", "0123456789abcdef"));
        EXPECT(!http_token_matches("Bearer 0123456789abcdeg", "0123456789abcdef"));
        EXPECT(!http_token_matches("Bearer 0123456789abcde", "0123456789abcdef"));
        EXPECT(!http_token_matches("Bearer 0123456789abcdef ", "0123456789abcdef"));
        EXPECT(!http_token_matches("Basic 0123456789abcdef", "0123456789abcdef"));
        EXPECT(!http_token_matches("Bearer ", "0123456789abcdef"));
        EXPECT(!http_token_matches(NULL, "0123456789abcdef") && !http_token_matches("Bearer x", NULL));
}

// ---- transfers ----

static void connect_pair(int ret[static 2]) {
        struct sockaddr_in place = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t size = sizeof place;
        auto_close int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT(bind(listening, (struct sockaddr *)&place, sizeof place) == 0 && listen(listening, 1) == 0);
        EXPECT(getsockname(listening, (struct sockaddr *)&place, &size) == 0);
        ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT(connect(ret[0], (struct sockaddr *)&place, sizeof place) == 0);
        ret[1] = accept(listening, NULL, NULL);
}

static bool is_cut(int socket) {
        char byte;
        return recv(socket, &byte, 1, MSG_DONTWAIT) == 0;
}

static void transfers_that_stand_are_cut(void) {
        struct standing standing;
        int pair[2];
        connect_pair(pair);
        auto_free char *data = xcalloc(1, 64 << 10);
        standing_begin(&standing, pair[1], 0);
        for (size_t sent = 0; sent < 5; sent++) { // that is enough for a minute
                EXPECT(write(pair[0], data, 64 << 10) == 64 << 10);
                for (size_t got = 0; got < 64 << 10;)
                        got += (size_t)read(pair[1], data, (64 << 10) - got);
        }
        standing_look(&standing, 59999);
        standing_look(&standing, 60000);
        EXPECT(!is_cut(pair[0]));
        EXPECT(write(pair[0], data, 100) == 100); // and that is not
        standing_look(&standing, 119999);
        EXPECT(!is_cut(pair[0]));
        standing_look(&standing, 120000);
        EXPECT(is_cut(pair[0]));
        close(pair[0]);
        close(pair[1]);
}

int main(void) {
        EXPECT(mkdtemp(top) != NULL);
        RUN(least_recently_used_goes_first);
        RUN(keys_go_before_their_contents);
        RUN(key_without_content_is_not_there);
        RUN(what_is_read_stays);
        RUN(restart_keeps_order);
        RUN(keys_are_older_than_contents_of_the_same_time);
        RUN(clock_that_was_set_back_does_not_matter);
        RUN(wrong_content_is_refused);
        RUN(entry_that_is_there_is_not_written_again);
        RUN(damaged_content_is_replaced);
        RUN(only_a_store_is_opened);
        RUN(names_are_exact);
        RUN(limits_are_read);
        RUN(places_to_listen_are_read);
        RUN(token_is_all_of_it);
        RUN(transfers_that_stand_are_cut);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, top, err));
        return test_done();
}
