// SPDX-License-Identifier: MIT
// Fuzz target: a repository's metadata. Input with "<repomd" in it is repomd.xml, other input primary.xml on its way
// through the guard and the filter to libsolv. Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE
// -Ibuilder -I., all of builder/ without main.c, and the libraries of the Makefile's LIBS.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "packages/metadata/repomd.h"
#include "packages/metadata/stream.h"

// libsolv's headers need pool.h first
#include <solv/pool.h>
#include <solv/repo.h>
#include <solv/repo_rpmmd.h>

enum { TEXT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
        if (!condition)
                abort();
}

static void check_file(const struct metadata_file *file) {
        if (!file->location)
                return;
        must(file->location[0] != '/' && !strstr(file->location, "../") && !strstr(file->location, "://"));
        must(file->checksum && file->checksum_type && strcmp(file->checksum_type, "md5") != 0);
}

static void parse_repomd(const uint8_t *data, size_t size) {
        struct arena arena = { 0 };
        const struct repository repository = { .name = "r" };
        struct source source = { .repository = &repository, .arena = &arena, .name = "r" };
        struct err err = { 0 };
        if (repomd_parse(&source, (const char *)data, size, &err)) {
                must(source.primary.location != NULL);
                check_file(&source.primary);
                check_file(&source.filelists);
                check_file(&source.group);
        } else {
                must(err.text != NULL);
        }
        err_release(&err);
        arena_release(&arena);
}

static void parse_primary(const uint8_t *data, size_t size) {
        struct err err = { 0 };
        struct stream *stream;
        const char *wrong;
        auto_close int fd = memfd_create("primary.xml", MFD_CLOEXEC);
        must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
        must(stream_open(fd, "primary.xml", true, TEXT_MAX, &stream, &err));
        Pool *pool = pool_create();
        Repo *repo = repo_create(pool, "r");
        (void)repo_add_rpmmd(repo, stream_file(stream), NULL, 0);
        (void)stream_close(stream, &wrong);
        pool_free(pool);
        err_release(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        if (memmem(data, size, "<repomd", 7))
                parse_repomd(data, size);
        else
                parse_primary(data, size);
        return 0;
}
