// SPDX-License-Identifier: MIT
#include "packages/metadata/solv_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"

// libsolv's headers need pool.h first
#include <solv/repo_solv.h>
#include <solv/repo_write.h>
#include <solv/solv_xfopen.h>

static const char content_version[] = "2"; // other keys of a repository are kept: raise it

enum { HEX_BYTES = 64, SOLV_MAX = 1 << 30 };

// Over the contents, what they were made from, and the version of libsolv that wrote them.
static void solv_digest(const char *data, size_t size, const char *cookie, char ret_hex[static DIGEST_HEX_SIZE]) {
        struct digest *digest = digest_new("sha256");
        digest_update(digest, cookie, strlen(cookie) + 1);
        digest_update(digest, solv_version, strlen(solv_version) + 1);
        digest_update(digest, content_version, sizeof content_version);
        digest_update(digest, data, size);
        digest_final(digest, ret_hex);
}

bool solv_cache_read(Repo *repo, const char *path, const char *cookie, int flags) {
        auto_err ignored = { 0 };
        auto_buf bytes = { .max = SOLV_MAX };
        char hex[DIGEST_HEX_SIZE];
        if (!fs_read(AT_FDCWD, path, &bytes, &ignored) || bytes.size <= HEX_BYTES)
                return false;
        size_t size = bytes.size - HEX_BYTES;
        solv_digest(bytes.data, size, cookie, hex);
        if (memcmp(hex, bytes.data + size, HEX_BYTES) != 0)
                return false;
        auto_fclose FILE *stream = solv_fmemopen(bytes.data, size, "r");
        return stream && repo_add_solv(repo, stream, flags) == 0;
}

// Texts for people are half of a repository, and no solver reads them. Licences stay: bills of materials have them.
// What is dropped is in solv_digest(), or files of before would lack what is wanted now.
static int drop_descriptions(Repo *repo, Repokey *key, void *context) {
        static const Id descriptions[] = { SOLVABLE_SUMMARY,   SOLVABLE_DESCRIPTION, SOLVABLE_URL,
                                           SOLVABLE_GROUP,     SOLVABLE_PACKAGER,    SOLVABLE_BUILDHOST,
                                           SOLVABLE_HEADEREND, SOLVABLE_CHANGELOG };
        for (size_t i = 0; i < lengthof(descriptions); i++)
                if (key->name == descriptions[i])
                        return KEY_STORAGE_DROPPED;
        return repo_write_stdkeyfilter(repo, key, context);
}

static void write_repo(Repo *repo, int first_area, FILE *stream) {
        Repowriter *writer = repowriter_create(repo);
        repowriter_set_keyfilter(writer, drop_descriptions, NULL);
        if (first_area > 0) {
                repowriter_set_repodatarange(writer, first_area, repo->nrepodata);
                repowriter_set_flags(writer, REPOWRITER_NO_STORAGE_SOLVABLE);
        }
        repowriter_write(writer, stream);
        repowriter_free(writer);
}

// No fsync: a file that a crash leaves incomplete does not have the digest of its trailer.
static bool write_solv_file(const char *path, const char *data, size_t size, const char *hex, struct err *err) {
        auto_close int fd = -1;
        if (!fs_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, err))
                return false;
        return fs_write_all(fd, data, size, err) && fs_write_all(fd, hex, HEX_BYTES, err);
}

static void write_solv(Repo *repo, const char *path, const char *cookie, int first_area) {
        auto_free char *data = NULL;
        auto_free char *temporary = xasprintf("%s.part.%d", path, (int)getpid());
        size_t size = 0;
        auto_err err = { 0 };
        char hex[DIGEST_HEX_SIZE];
        FILE *stream = open_memstream(&data, &size);
        if (!stream)
                return;
        write_repo(repo, first_area, stream);
        if (fclose(stream) != 0)
                return;
        solv_digest(data, size, cookie, hex);
        if (write_solv_file(temporary, data, size, hex, &err) && rename(temporary, path) == 0)
                return;
        if (!err.kind)
                (void)fail(&err, ERR_SYSTEM, errno, "rename %s", temporary);
        unlink(temporary);
        warning("the metadata cache could not be written: %s", err.text);
}

void solv_cache_write(Repo *repo, const char *path, const char *cookie, int first_area, int *writer) {
        solv_cache_wait(writer);
        pid_t pid = fork();
        if (pid > 0) {
                *writer = pid;
                return;
        }
        write_solv(repo, path, cookie, first_area);
        if (pid == 0)
                _exit(0);
}

void solv_cache_wait(int *writer) {
        while (*writer > 0 && waitpid(*writer, NULL, 0) < 0 && errno == EINTR)
                continue;
        *writer = 0;
}
