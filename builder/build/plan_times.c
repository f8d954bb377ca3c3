// SPDX-License-Identifier: MIT
#include "build/plan_times.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json_member.h"
#include "build/publish.h"

enum { NOTES_MAX_BYTES = 4 << 20 };

// "made" of the notes that a step's time is from stands in `made`.
static void take_steps(const json_t *notes, json_t *times, json_t *made) {
        const json_int_t when = member_number(notes, "made");
        size_t index;
        json_t *step;
        json_array_foreach(json_object_get(notes, "steps"), index, step) {
                const char *name = member_text(step, "step");
                bool is_newer = !json_object_get(made, name) || member_number(made, name) <= when;
                if (!is_newer)
                        continue;
                (void)!json_object_set_new(made, name, json_integer(when));
                (void)!json_object_set(times, name, json_object_get(step, "took_ms"));
        }
}

static void take_notes(int dir, const char *name, json_t *times, json_t *made) {
        auto_buf text = { .max = NOTES_MAX_BYTES };
        auto_err unreadable = { 0 };
        if (!fs_read(dir, name, &text, &unreadable))
                return;
        json_t *notes = json_loadb(buf_text(&text), text.size, 0, NULL);
        take_steps(notes, times, made);
        json_decref(notes);
}

json_t *plan_times_read(int publication_dir) {
        json_t *times = json_object(), *made = json_object();
        auto_closedir DIR *stream = NULL;
        auto_free char *start = publication_note_name(PUBLICATION_NOTES, "");
        auto_err unreadable = { 0 };
        struct dirent *entry;
        bool is_open = fs_open_listing(publication_dir, &stream, &unreadable);
        while (is_open && fs_next_entry(stream, &entry, &unreadable) && entry)
                if (strncmp(entry->d_name, start, strlen(start)) == 0)
                        take_notes(publication_dir, entry->d_name, times, made);
        json_decref(made);
        return times;
}
