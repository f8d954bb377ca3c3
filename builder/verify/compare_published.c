// SPDX-License-Identifier: MIT
#include "compare_published.h"

#include <string.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "compare/compare.h"
#include "verify/verify_sums.h"

static bool note_difference(struct published_build *build, const struct published_build *rebuilt, const char *path,
                            struct err *err) {
        auto_buf difference = { 0 };
        auto_close int expected = -1;
        auto_close int found = -1;
        if (!published_open_file(rebuilt, path, &expected, err) || !published_open_file(build, path, &found, err))
                return false;
        struct compared files = { path, expected, found };
        if (!compare_contents(&files, &difference, err))
                return false;
        if (difference.size > 0)
                published_note(build, "%s: %s", path, buf_text(&difference));
        return true;
}

static bool compare_expected_file(struct published_build *build, const struct published_build *rebuilt,
                                  const struct published_file *expected, struct err *err) {
        const struct published_file *found = published_find(build, expected->path);
        if (!interrupt_check(err))
                return false;
        if (!found) {
                published_note(build, "%s: missing, and not in " SUMS_NAME, expected->path);
                return true;
        }
        if (!found->exists || strcmp(found->sha256, expected->sha256) == 0)
                return true;
        return note_difference(build, rebuilt, expected->path, err);
}

static void note_unexpected_files(struct published_build *build, const struct published_build *rebuilt) {
        for (size_t i = 0; i < build->count; i++) {
                const struct published_file *file = &build->files[i];
                if (*file->listed && !published_find(rebuilt, file->path))
                        published_note(build, "%s: should not be there", file->path);
        }
}

// Build kinds make directories even where they have nothing to put into them; SHA256SUMS knows none.
static void note_unexpected_directories(struct published_build *build, const struct published_build *rebuilt) {
        for (size_t i = 0; i < build->directory_count; i++) {
                const char *path = build->directories[i];
                if (!fs_exists(rebuilt->dir, path))
                        published_note(build, "%s: a directory that should not be there", path);
        }
}

static bool compare_with(struct published_build *build, const struct published_build *rebuilt, struct err *err) {
        for (size_t i = 0; i < rebuilt->count; i++)
                if (!compare_expected_file(build, rebuilt, &rebuilt->files[i], err))
                        return false;
        note_unexpected_files(build, rebuilt);
        note_unexpected_directories(build, rebuilt);
        return note_difference(build, rebuilt, SUMS_NAME, err);
}

bool compare_published(struct published_build *build, const char *rebuilt_path, unsigned jobs, struct err *err) {
        struct published_build rebuilt;
        struct progress progress;
        bool ok = published_open(rebuilt_path, &rebuilt, err) && verify_sums(&rebuilt, jobs, err);
        if (ok && rebuilt.finding_count > 0)
                ok = fail(err, ERR_INTERNAL, 0, "%s is damaged:%s", rebuilt_path, buf_text(&rebuilt.findings));
        progress_begin(&progress, "compare", "bytes", 0);
        ok = ok && compare_with(build, &rebuilt, err);
        progress_end(&progress, ok);
        published_close(&rebuilt);
        return ok;
}
