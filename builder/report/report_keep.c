// SPDX-License-Identifier: MIT
// The page and the notes at their places beside the build.
#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "build/publish.h"
#include "report/build_report.h"

enum { NOTES_MAX_BYTES = 16 << 20 };

// Those of the run that made it; an older kiln wrote none. Whoever may write there could have changed them: what is no
// JSON is none.
static json_t *read_notes(const struct publication *publication, const char *build_id) {
        auto_free char *name = publication_note_name(PUBLICATION_NOTES, build_id);
        auto_buf text = { .max = NOTES_MAX_BYTES };
        auto_err absent = { 0 };
        if (!fs_read(publication->dir, name, &text, &absent))
                return NULL;
        return json_loadb(buf_text(&text), text.size, 0, NULL);
}

static bool write_notes(struct publication *publication, const char *build_id, const json_t *notes, struct err *err) {
        auto_free char *text = json_dumps(notes, JSON_COMPACT);
        return publication_note(publication, build_id, PUBLICATION_NOTES, text_or(text, "{}"), err);
}

// The build that the notes name, or else the next older whole one of the cluster. NULL: there is none any more.
static const struct listed_build *find_before(const struct build_list *list, const struct listed_build *build,
                                              const json_t *notes) {
        const char *named = member_text(notes, "before");
        const struct listed_build *older = NULL;
        bool is_behind = false;
        for (size_t i = 0; i < list->count; i++) {
                const struct listed_build *other = &list->items[i];
                bool is_meant = !other->is_partial && other != build && strcmp(other->cluster, build->cluster) == 0;
                if (is_meant && strcmp(other->id, named) == 0)
                        return other;
                if (is_meant && is_behind && !older)
                        older = other;
                is_behind |= other == build;
        }
        return older;
}

static bool make_page(const char *out, const struct build_list *list, const struct listed_build *build,
                      const json_t *notes, struct buf *ret, struct err *err) {
        auto_free char *path = listed_build_path(out, build), *before_path = NULL;
        struct report_source source = { .path = path, .notes = notes };
        const struct listed_build *before = NULL;
        if (!build->is_partial)
                before = find_before(list, build, notes);
        if (before)
                before_path = listed_build_path(out, before);
        source.before = before_path;
        return report_make(&source, ret, err);
}

static bool keep_locked(struct publication *publication, const char *out, const struct build_list *list,
                        const struct listed_build *build, const json_t *notes, struct err *err) {
        auto_buf page = { 0 };
        json_t *kept = NULL;
        bool ok = true;
        if (notes)
                ok = write_notes(publication, build->id, notes, err);
        else
                notes = kept = read_notes(publication, build->id);
        ok = ok && make_page(out, list, build, notes, &page, err) &&
             publication_note(publication, build->id, PUBLICATION_REPORT, buf_text(&page), err);
        json_decref(kept);
        return ok;
}

char *report_name(const char *build_id) { return publication_note_name(PUBLICATION_REPORT, build_id); }

bool report_keep(const char *out, const struct build_list *list, const struct listed_build *build, const json_t *notes,
                 char **ret_path, struct err *err) {
        struct publication publication = PUBLICATION_CLOSED;
        assert(out && list && build && ret_path);
        if (!publication_open_to_change(out, build->cluster, build->is_partial, &publication, err))
                return false;
        bool ok =
            publication_has(&publication, build->id) || fail(err, ERR_REFERENCE, 0, "build %s went away", build->id);
        ok = ok && keep_locked(&publication, out, list, build, notes, err);
        publication_close(&publication);
        if (!ok)
                return false;
        auto_free char *path = listed_build_path(out, build), *name = report_name(build->id);
        *strrchr(path, '/') = '\0';
        *ret_path = xasprintf("%s/%s", path, name);
        return true;
}
