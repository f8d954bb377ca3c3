// SPDX-License-Identifier: MIT
// Downloads from a server that misbehaves on purpose. The first part of a path says how: /ok/FILE, /break/FILE, ...
#include "tests/unit/root.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "packages/fetch/partial.h"
#include "packages/fetch/transfer.h"
#include "packages/metadata/metadata_file.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/pool.h"
#include "tests/unit/open_cache.h"

enum { FILE_BYTES = 3 << 20 };

static char top[] = "/tmp/kiln-fetch.XXXXXX";
static struct arena arena;
static int listener;
static int port;
static atomic_int requests, ranges, failures_left;

static const char *in_top(const char *name) { return arena_printf(&arena, "%s/%s", top, name); }

// ---- the server ----

static void send_all(int fd, const char *data, size_t size) {
        for (ssize_t sent; size > 0 && (sent = send(fd, data, size, MSG_NOSIGNAL)) > 0; size -= (size_t)sent)
                data += sent;
}

static void send_status(int fd, const char *status) {
        auto_free char *text = xasprintf("HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
        send_all(fd, text, strlen(text));
}

static void send_file(int fd, struct buf *file, const char *how, long first) {
        bool ranged = first > 0 && strcmp(how, "norange") != 0;
        size_t from = ranged ? (size_t)first : 0;
        size_t size = file->size - from;
        size_t claimed = size;
        if (strcmp(how, "break") == 0 && size > 1 << 20)
                size = 1 << 20; // a megabyte at a time
        if (strcmp(how, "short") == 0)
                claimed = size = size / 2; // lies: half the file, politely
        if (strcmp(how, "long") == 0)
                claimed = size + 1000; // lies: more than there is
        if (strcmp(how, "altered") == 0)
                file->data[file->size / 2] ^= 1;
        if (strcmp(how, "badrange") == 0)
                from = 0;
        auto_free char *head =
            xasprintf("HTTP/1.1 %s\r\nContent-Length: %zu\r\nContent-Range: bytes %zu-%zu/%zu\r\n"
                      "Connection: close\r\n\r\n",
                      ranged ? "206 Partial Content" : "200 OK", claimed, from, file->size - 1, file->size);
        send_all(fd, head, strlen(head));
        send_all(fd, file->data + from, size);
}

static void answer(int fd) {
        char request[4096];
        size_t size = 0;
        for (ssize_t got;
             size < sizeof request - 1 && (got = recv(fd, request + size, sizeof request - 1 - size, 0)) > 0;) {
                size += (size_t)got;
                request[size] = '\0';
                if (strstr(request, "\r\n\r\n"))
                        break;
        }
        request[size] = '\0';
        char how[32] = "";
        char name[512] = "";
        long first = 0;
        atomic_fetch_add(&requests, 1);
        const char *range = strcasestr(request, "\r\nRange: bytes=");
        if (range) {
                first = strtol(range + 15, NULL, 10);
                atomic_fetch_add(&ranges, 1);
        }
        auto_buf file = { 0 };
        auto_err error = { 0 };
        if (sscanf(request, "GET /%31[^/]/%511s", how, name) != 2 || !fs_path_is_safe(name) ||
            strcmp(how, "404") == 0 || !fs_read(AT_FDCWD, in_top(name), &file, &error))
                send_status(fd, "404 Not Found");
        else if (strcmp(how, "500") == 0 || (strcmp(how, "flaky") == 0 && atomic_fetch_sub(&failures_left, 1) > 0))
                send_status(fd, "500 Internal Server Error");
        else if (first >= (long)file.size)
                send_status(fd, "416 Range Not Satisfiable");
        else
                send_file(fd, &file, how, first);
}

static pthread_mutex_t serving = PTHREAD_MUTEX_INITIALIZER;

static void *serve_one(void *context) {
        int fd = (int)(intptr_t)context;
        pthread_mutex_lock(&serving); // the arena is shared
        answer(fd);
        pthread_mutex_unlock(&serving);
        shutdown(fd, SHUT_WR);
        char rest[256];
        while (recv(fd, rest, sizeof rest, 0) > 0) {
        }
        close(fd);
        return NULL;
}

static void *serve(void *context) {
        for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
                pthread_t thread;
                if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) == 0)
                        pthread_detach(thread);
                else
                        close(fd);
        }
        return context;
}

static bool start_server(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof address;
        pthread_t thread;
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 64) < 0 ||
            getsockname(listener, (struct sockaddr *)&address, &size) < 0)
                return false;
        port = ntohs(address.sin_port);
        return pthread_create(&thread, NULL, serve, NULL) == 0 && pthread_detach(thread) == 0;
}

static const char *server_url(const char *how) { return arena_printf(&arena, "http://127.0.0.1:%d/%s", port, how); }

// ---- single files ----

static char file_hex[DIGEST_HEX_SIZE];

static void make_file(void) {
        auto_buf bytes = { 0 };
        uint32_t state = 1;
        for (int i = 0; i < FILE_BYTES / 4; i++) {
                state = state * 1664525 + 1013904223;
                buf_append(&bytes, &state, sizeof state);
        }
        digest_bytes("sha256", bytes.data, bytes.size, file_hex);
        EXPECT_OK(fs_write_atomic(AT_FDCWD, in_top("file"), bytes.data, bytes.size, 0644, err));
}

// Fetches "file" from servers that behave as `hows` say, to a new place or one where `partial` bytes lie already.
static bool fetch(const char *const *hows, size_t partial, struct err *error) {
        const char *urls[4];
        size_t count = 0;
        for (; hows[count]; count++)
                urls[count] = arena_printf(&arena, "%s/file", server_url(hows[count]));
        const char *path = in_top("got/file");
        auto_err ignored = { 0 };
        EXPECT_OK(fs_remove_tree(AT_FDCWD, in_top("got"), err));
        EXPECT_OK(fs_mkdirs(AT_FDCWD, in_top("got"), 0755, err));
        if (partial > 0) {
                EXPECT_OK(fs_link_or_copy(AT_FDCWD, in_top("file"), AT_FDCWD, in_top("got/whole"), err));
                auto_buf bytes = { 0 };
                EXPECT_OK(fs_read(AT_FDCWD, in_top("file"), &bytes, err));
                EXPECT_OK(fs_write_atomic(AT_FDCWD, in_top("got/file.part"), bytes.data, partial, 0644, err));
        }
        struct transfer transfer = { .name = "file",
                                     .urls = urls,
                                     .url_count = count,
                                     .path = path,
                                     .checksum_type = "sha256",
                                     .checksum = file_hex,
                                     .size_bytes = FILE_BYTES };
        atomic_store(&requests, 0);
        atomic_store(&ranges, 0);
        bool ok = transfers_run(&transfer, 1, NULL, error);
        char hex[DIGEST_HEX_SIZE];
        if (ok)
                EXPECT(digest_file("sha256", AT_FDCWD, path, hex, &ignored) && strcmp(hex, file_hex) == 0);
        else
                EXPECT(!fs_exists(AT_FDCWD, path));
        return ok;
}

#define HOWS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void expect_fetched(const char *const *hows, size_t partial) {
        auto_err error = { 0 };
        bool ok = fetch(hows, partial, &error);
        EXPECT_TEXT(ok ? "" : error.text, "");
}

static void expect_error(const char *const *hows, const char *kind, const char *part) {
        auto_err error = { 0 };
        EXPECT(!fetch(hows, 0, &error));
        EXPECT_TEXT(err_kind_name(error.kind), kind);
        if (!error.text || !strstr(error.text, part))
                EXPECT_TEXT(error.text, part);
}

static void fetches_a_file(void) {
        expect_fetched(HOWS("ok"), 0);
        EXPECT(requests == 1);
}

static void resumes_after_each_break(void) {
        expect_fetched(HOWS("break"), 0);
        EXPECT(ranges == 2);
}

static void resumes_what_an_earlier_run_left(void) {
        expect_fetched(HOWS("ok"), FILE_BYTES / 2);
        EXPECT(requests == 1 && ranges == 1);
}

static void adopts_a_complete_partial_file(void) {
        expect_fetched(HOWS("ok"), FILE_BYTES);
        EXPECT(requests == 0);
}

static void starts_over_without_ranges(void) {
        expect_fetched(HOWS("norange"), FILE_BYTES / 2);
        expect_fetched(HOWS("badrange", "ok"), FILE_BYTES / 2);
}

static void retries_a_server_error(void) {
        atomic_store(&failures_left, 2);
        expect_fetched(HOWS("flaky"), 0);
        EXPECT(requests == 3);
}

static void goes_on_with_the_next_mirror(void) {
        expect_fetched(HOWS("404", "500", "ok"), 0);
        expect_fetched(HOWS("altered", "ok"), 0);
        expect_fetched(HOWS("short", "ok"), 0);
        expect_fetched(HOWS("long", "ok"), 0);
}

static void says_what_is_wrong(void) {
        expect_error(HOWS("404"), "NETWORK", "404");
        EXPECT(requests == 1); // absent is absent
        expect_error(HOWS("500"), "NETWORK", "500");
        expect_error(HOWS("altered"), "CHECKSUM", "the metadata says");
        expect_error(HOWS("short"), "CORRUPT", "truncated");
}

static void unreachable_server_is_a_network_error(void) {
        auto_err error = { 0 };
        const char *url = "http://127.0.0.1:1/file";
        struct transfer transfer = { .name = "file", .urls = &url, .url_count = 1, .path = in_top("got/none") };
        EXPECT(!transfers_run(&transfer, 1, NULL, &error));
        EXPECT_TEXT(err_kind_name(error.kind), "NETWORK");
        EXPECT(error.text && strstr(error.text, url));
}

static void two_transfers_of_one_file_do_not_collide(void) {
        const char *url = arena_printf(&arena, "%s/file", server_url("ok"));
        struct transfer one = { .name = "file",
                                .urls = &url,
                                .url_count = 1,
                                .path = in_top("got/twice"),
                                .checksum_type = "sha256",
                                .checksum = file_hex,
                                .size_bytes = FILE_BYTES };
        struct transfer both[] = { one, one };
        EXPECT_OK(transfers_run(both, 2, NULL, err));
        EXPECT(fs_exists(AT_FDCWD, one.path) && !fs_exists(AT_FDCWD, in_top("got/twice.part")));
}

// In a mount namespace of its own, on a file system of one megabyte.
static void full_disk_is_said(void) {
        const char *url = arena_printf(&arena, "%s/file", server_url("ok"));
        const char *small = in_top("small");
        auto_err error = { 0 };
        EXPECT_OK(fs_mkdirs(AT_FDCWD, small, 0755, err));
        EXPECT(mount("tmpfs", small, "tmpfs", 0, "size=1m") == 0);
        struct transfer transfer = { .name = "file",
                                     .urls = &url,
                                     .url_count = 1,
                                     .path = in_top("small/file"),
                                     .checksum_type = "sha256",
                                     .checksum = file_hex,
                                     .size_bytes = FILE_BYTES };
        EXPECT(!transfers_run(&transfer, 1, NULL, &error));
        EXPECT_TEXT(err_kind_name(error.kind), "DISK_FULL");
        EXPECT(umount2(small, MNT_DETACH) == 0);
}

// ---- a whole repository ----

static bool make_repository(struct err *err) {
        auto_free char *define = xasprintf("_topdir %s/rpmbuild", top);
        auto_free char *home = xasprintf("HOME=%s", top);
        const char *env[] = { home, "PATH=/usr/bin:/bin:/usr/sbin:/sbin", NULL };
        for (int i = 0; i < 8; i++) {
                auto_free char *name = xasprintf("p%d.spec", i);
                auto_free char *spec = xasprintf("Name: p%d\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\n"
                                                 "BuildArch: noarch\n%s%%description\nx\n%%files\n",
                                                 i, i == 0 ? "Requires: p1 p2 p3 p4 p5 p6 p7\n" : "");
                const char *argv[] = { "rpmbuild", "-bb", "--quiet", "--define", define, in_top(name), NULL };
                if (!fs_write_atomic(AT_FDCWD, in_top(name), spec, strlen(spec), 0644, err) ||
                    !run(&(struct run){ .argv = argv, .env = env }, err))
                        return false;
        }
        return rename(in_top("rpmbuild/RPMS/noarch"), in_top("repo")) == 0 &&
               run_command(err, "createrepo_c", "--quiet", in_top("repo"), (char *)NULL);
}

static const char *mirrorlist;

static bool open_solve_fetch(const char *const *urls, size_t count, bool offline, struct package_set *ret,
                             struct packages **packages, struct err *err) {
        static struct repository repository; // the packages refer to both
        static struct release release;
        repository = (struct repository){
                .name = "web", .trust = TRUST_DIGEST, .priority = 99, .base_urls = { (const char **)urls, count }
        };
        repository.mirrorlist = mirrorlist;
        release =
            (struct release){ .name = "test", .arch = "x86_64", .repositories = &repository, .repository_count = 1 };
        struct packages_options options = { .cache = open_cache(in_top("cache")), .offline = offline };
        const char *request = "p0";
        bool ok = packages_open(&release, &options, packages, err) &&
                  packages_solve(*packages, &request, 1, ret, err) && packages_fetch(*packages, ret, err);
        for (size_t i = 0; ok && i < ret->count; i++)
                EXPECT(ret->items[i]->path && fs_exists(AT_FDCWD, ret->items[i]->path));
        return ok;
}

static void expect_set(const char *const *urls, size_t count, bool offline) {
        struct package_set set = { 0 };
        struct packages *packages = NULL;
        auto_err error = { 0 };
        EXPECT_TEXT(open_solve_fetch(urls, count, offline, &set, &packages, &error) ? "" : error.text, "");
        EXPECT(set.count == 8);
        package_set_release(&set);
        packages_close(packages);
}

static void repository_by_http(void) {
        const char *urls[] = { server_url("404/repo"), server_url("ok/repo") };
        expect_set(urls, 2, false);
        int first = atomic_exchange(&requests, 0);
        EXPECT(first >= 8 + 2);
        expect_set(urls, 2, false);
        EXPECT(requests == 2); // repomd.xml alone, from both
}

static void mirror_list_is_read(void) {
        auto_free char *list = xasprintf("# mirrors\n%s\r\n%s\n", server_url("404/repo"), server_url("ok/repo"));
        EXPECT_OK(fs_write_atomic(AT_FDCWD, in_top("mirrors"), list, strlen(list), 0644, err));
        mirrorlist = arena_printf(&arena, "%s/mirrors", server_url("ok"));
        expect_set(NULL, 0, false);
        atomic_store(&requests, 0);
        expect_set(NULL, 0, true);
        EXPECT(requests == 0);
        mirrorlist = NULL;
}

static void offline_needs_no_network(void) {
        const char *urls[] = { server_url("404/repo"), server_url("ok/repo") };
        atomic_store(&requests, 0);
        expect_set(urls, 2, true);
        EXPECT(requests == 0);
}

static void damaged_cache_is_repaired(void) {
        const char *urls[] = { server_url("404/repo"), server_url("ok/repo") };
        auto_buf listing = { 0 };
        const char *argv[] = { "find", in_top("cache"), "-type",  "f", "(", "-name", "*.rpm",
                               "-o",   "-name",         "*.solv", ")", NULL };
        EXPECT_OK(run(&(struct run){ .argv = argv, .output = &listing }, err));
        char *rest = listing.data;
        int damaged = 0;
        for (char *path; rest && (path = strsep(&rest, "\n")) && *path; damaged++) {
                auto_buf bytes = { 0 };
                EXPECT_OK(fs_read(AT_FDCWD, path, &bytes, err));
                bytes.data[bytes.size / 2] ^= 0x40;
                EXPECT_OK(fs_write_atomic(AT_FDCWD, path, bytes.data, bytes.size, 0644, err));
        }
        EXPECT(damaged == 9);
        expect_set(urls, 2, false);
}

static void stale_metadata_is_a_checksum_error(void) {
        const char *url = server_url("altered/repo");
        struct package_set set = { 0 };
        struct packages *packages = NULL;
        auto_err error = { 0 };
        EXPECT(!open_solve_fetch(&url, 1, false, &set, &packages, &error));
        EXPECT(error.kind == ERR_CHECKSUM || error.kind == ERR_CORRUPT);
}

static void dead_repository_names_the_remedy(void) {
        const char *url = "http://127.0.0.1:1/repo";
        struct package_set set = { 0 };
        struct packages *packages = NULL;
        auto_err error = { 0 };
        EXPECT(!open_solve_fetch(&url, 1, false, &set, &packages, &error));
        EXPECT_TEXT(err_kind_name(error.kind), "NETWORK");
        EXPECT(error.text && strstr(error.text, "repository web") && strstr(error.text, url));
        EXPECT(error.hint && strstr(error.hint, "--repo web=URL"));
}

// Who may write to the repository may do so between a package's verification and its installation.
static void local_repository_is_copied(void) {
        const char *url = arena_printf(&arena, "file://%s/repo", top);
        struct package_set set = { 0 };
        struct packages *packages = NULL;
        auto_err error = { 0 };
        EXPECT_OK(fs_remove_tree(AT_FDCWD, in_top("cache"), err));
        EXPECT_TEXT(open_solve_fetch(&url, 1, true, &set, &packages, &error) ? "" : error.text, "");
        for (size_t i = 0; i < set.count; i++) {
                const char *path = set.items[i]->path;
                auto_free char *wanted = xasprintf("%s/cache/packages/%s.rpm", top, set.items[i]->checksum);
                struct stat stat_ = { 0 };
                EXPECT_TEXT(path, wanted);
                EXPECT(stat(path, &stat_) == 0 && stat_.st_nlink == 1);
        }
        package_set_release(&set);
        packages_close(packages);
}

// What was verified is what is read, whoever writes to the file afterwards.
static void metadata_is_read_from_a_private_copy(void) {
        const char *url = arena_printf(&arena, "file://%s/repo", top);
        struct package_set set = { 0 };
        struct packages *packages = NULL;
        auto_err error = { 0 };
        auto_close int fd = -1;
        auto_buf bytes = { 0 };
        char hex[DIGEST_HEX_SIZE] = "";
        EXPECT_TEXT(open_solve_fetch(&url, 1, true, &set, &packages, &error) ? "" : error.text, "");
        struct source *source = &packages->sources[0];
        const char *path = arena_printf(&arena, "%s/repo/%s", top, source->primary.location);
        EXPECT_OK(fs_read(AT_FDCWD, path, &bytes, err));
        EXPECT_OK(metadata_file_open(source, "primary metadata", &source->primary, &fd, err));
        auto_close int writer = open(path, O_WRONLY | O_CLOEXEC); // in place, as who has it open could
        EXPECT(pwrite(writer, "altered", 7, 20) == 7);
        EXPECT_OK(digest_fd("sha256", fd, hex, err));
        EXPECT_TEXT(hex, source->primary.checksum);
        auto_err refused = { 0 };
        auto_close int again = -1;
        EXPECT(!metadata_file_open(source, "primary metadata", &source->primary, &again, &refused));
        EXPECT_TEXT(err_kind_name(refused.kind), "CHECKSUM");
        EXPECT_OK(fs_write_atomic(AT_FDCWD, path, bytes.data, bytes.size, 0644, err));
        package_set_release(&set);
        packages_close(packages);
}

int main(void) {
        struct err error = { 0 };
        become_root();
        // Before any thread: what is mounted here vanishes with the process.
        if (unshare(CLONE_NEWNS) == 0)
                (void)!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
        if (!mkdtemp(top) || !start_server() || !make_repository(&error)) {
                printf("Bail out! server or repository could not be made: %s\n", error.text ? error.text : "");
                return 1;
        }
        make_file();
        RUN(fetches_a_file);
        RUN(resumes_after_each_break);
        RUN(resumes_what_an_earlier_run_left);
        RUN(adopts_a_complete_partial_file);
        RUN(starts_over_without_ranges);
        RUN(retries_a_server_error);
        RUN(goes_on_with_the_next_mirror);
        RUN(says_what_is_wrong);
        RUN(unreachable_server_is_a_network_error);
        RUN(two_transfers_of_one_file_do_not_collide);
        RUN(full_disk_is_said);
        RUN(repository_by_http);
        RUN(offline_needs_no_network);
        RUN(damaged_cache_is_repaired);
        RUN(mirror_list_is_read);
        RUN(stale_metadata_is_a_checksum_error);
        RUN(dead_repository_names_the_remedy);
        RUN(local_repository_is_copied);
        RUN(metadata_is_read_from_a_private_copy);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, top, err));
        return test_done();
}
