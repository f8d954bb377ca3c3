// SPDX-License-Identifier: MIT
#include "artefact/initrd/initrd_list.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "artefact/initrd/initrd_archive.h"
#include "artefact/initrd/initrd_modules.h"
#include "artefact/initrd/static_program.h"
#include "base/fs.h"
#include "base/mem.h"
#include "shared/signed_layer.h"

enum { WORDS_MAX = 256 };

struct reading {
        const struct initrd_sources *sources;
        struct initrd_archive archive;
        char *busybox; // its path in the initrd, once it is there
};

// words[0] is the kind of line, words[1] the path in the initrd.
struct line {
        char *words[WORDS_MAX];
        size_t count;
};

static mode_t mode_of(const char *word) { return (mode_t)strtoul(word, NULL, 8) & 07777; }

static bool line_dir(struct reading *reading, const struct line *line, struct err *err) {
        return initrd_archive_add_directory(&reading->archive, line->words[1], mode_of(line->words[2]), err);
}

static bool line_nod(struct reading *reading, const struct line *line, struct err *err) {
        mode_t type = S_IFCHR;
        if (line->words[2][0] == 'b')
                type = S_IFBLK;
        dev_t device = makedev((unsigned)atoi(line->words[3]), (unsigned)atoi(line->words[4]));
        mode_t mode = type | mode_of(line->words[5]);
        return initrd_archive_add_device(&reading->archive, line->words[1], mode, device, err);
}

static bool line_link(struct reading *reading, const struct line *line, struct err *err) {
        return initrd_archive_add_link(&reading->archive, line->words[1], line->words[2], err);
}

static bool line_file(struct reading *reading, const struct line *line, struct err *err) {
        auto_free char *source = xasprintf("%s/%s", reading->sources->directory, line->words[2]);
        return initrd_archive_add_file(&reading->archive, line->words[1], mode_of(line->words[3]), source, err);
}

static bool line_busybox(struct reading *reading, const struct line *line, struct err *err) {
        const char *program = reading->sources->busybox;
        free(reading->busybox);
        reading->busybox = xstrdup(line->words[1]);
        return static_program_check(program, err) &&
               initrd_archive_add_file(&reading->archive, line->words[1], mode_of(line->words[2]), program, err);
}

static bool line_applets(struct reading *reading, const struct line *line, struct err *err) {
        if (!reading->busybox)
                return fail(err, ERR_SYNTAX, 0, "applets before busybox");
        for (size_t i = 2; i < line->count; i++) {
                auto_free char *path = xasprintf("%s/%s", line->words[1], line->words[i]);
                if (!initrd_archive_add_link(&reading->archive, path, reading->busybox, err))
                        return false;
        }
        return true;
}

static bool line_node_helper(struct reading *reading, const struct line *line, struct err *err) {
        const char *program = reading->sources->node_helper;
        return initrd_archive_add_file(&reading->archive, line->words[1], mode_of(line->words[2]), program, err);
}

static bool line_modules(struct reading *reading, const struct line *line, struct err *err) {
        const struct initrd_sources *sources = reading->sources;
        return initrd_modules_add(&reading->archive, line->words[1], sources->root, sources->kernel_version,
                                  sources->modules, err);
}

static const struct line_kind {
        const char *word;
        size_t least, most; // words in the line, the first included
        bool (*add)(struct reading *reading, const struct line *line, struct err *err);
} line_kinds[] = {
        { "dir", 3, 3, line_dir },
        { "nod", 6, 6, line_nod },
        { "link", 3, 3, line_link },
        { "file", 4, 4, line_file },
        { "busybox", 3, 3, line_busybox },
        { "applets", 3, WORDS_MAX, line_applets },
        { "node-helper", 3, 3, line_node_helper },
        { "modules", 2, 2, line_modules },
};

static void split_line(char *text, struct line *ret) {
        char *state = NULL;
        *ret = (struct line){ 0 };
        text[strcspn(text, "#")] = '\0';
        for (char *word = strtok_r(text, " \t", &state); word; word = strtok_r(NULL, " \t", &state))
                if (ret->count < WORDS_MAX)
                        ret->words[ret->count++] = word;
}

// The kind of line that has this word and this many words, or NULL.
static const struct line_kind *kind_of_line(const struct line *line) {
        for (size_t i = 0; i < lengthof(line_kinds); i++) {
                const struct line_kind *kind = &line_kinds[i];
                bool fits = line->count >= kind->least && line->count <= kind->most;
                if (fits && strcmp(kind->word, line->words[0]) == 0)
                        return kind;
        }
        return NULL;
}

static bool refuse_line(const struct line *line, struct err *err) {
        if (line->count == 1)
                return fail(err, ERR_SYNTAX, 0, "not a part: %s", line->words[0]);
        return fail(err, ERR_SYNTAX, 0, "not a part: %s %s", line->words[0], line->words[1]);
}

static bool read_list_line(struct reading *reading, char *text, struct err *err) {
        struct line line;
        split_line(text, &line);
        if (line.count == 0)
                return true;
        const struct line_kind *kind = kind_of_line(&line);
        if (!kind)
                return refuse_line(&line, err);
        assert(line.words[1]); // every kind has a second word
        bool is_absolute = line.words[1][0] == '/' && fs_path_is_safe(line.words[1]);
        if (!is_absolute)
                return refuse_line(&line, err);
        return kind->add(reading, &line, err);
}

static bool read_parts_list(struct reading *reading, struct err *err) {
        auto_free char *path = xasprintf("%s/parts", reading->sources->directory);
        auto_buf list = { 0 };
        if (!fs_read(AT_FDCWD, path, &list, err))
                return false;
        int number = 0;
        char *rest = list.data;
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
                number++;
                if (!read_list_line(reading, line, err))
                        return wrap(err, "%s:%d", path, number);
        }
        return true;
}

static bool add_trust(struct reading *reading, struct err *err) {
        const struct buf *trust = reading->sources->trust;
        if (!trust || trust->size == 0)
                return true;
        return initrd_archive_add_bytes(&reading->archive, TRUST_PATH, 0644, trust, err);
}

bool initrd_list_read(const struct initrd_sources *sources, struct buf *ret_archive, struct err *err) {
        assert(sources->directory && sources->busybox && sources->node_helper);
        assert(sources->kernel_version && ret_archive->size == 0);
        struct reading reading = { .sources = sources };
        initrd_archive_begin(&reading.archive, sources->mtime, ret_archive);
        bool ok =
            read_parts_list(&reading, err) && add_trust(&reading, err) && initrd_archive_finish(&reading.archive, err);
        initrd_archive_release(&reading.archive);
        free(reading.busybox);
        return ok;
}
