// SPDX-License-Identifier: MIT
#include "release/build_list.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/build_id.h"
#include "build/publish.h"

enum { BLOCK_BYTES = 512 }; // the unit of st_blocks: stat(2)

void build_list_release(struct build_list *list) {
        for (size_t i = 0; i < list->count; i++) {
                struct listed_build *build = &list->items[i];
                free(build->cluster);
                free(build->id);
                free(build->release);
                buf_release(&build->roles);
        }
        free(list->items);
        *list = (struct build_list){ 0 };
}

char *listed_build_path(const char *out, const struct listed_build *build) {
        const char *part = "";
        if (build->is_partial)
                part = PARTIAL_DIR "/";
        return xasprintf("%s/%s/%s%s", out, build->cluster, part, build->id);
}

static bool is_build_id(const char *name) {
        return strlen(name) == BUILD_ID_SIZE - 1 && strspn(name, "0123456789abcdef") == BUILD_ID_SIZE - 1;
}

// ---- what its manifest says ----

// The manifest has a line for each of these members, before the long lists of files: nothing else of it is read.
static void take_manifest_line(char *line, struct listed_build *build) {
        char *value = strchr(line, ':');
        char *comma = strrchr(line, ',');
        if (!value || !comma || comma < value)
                return;
        *comma = '\0';
        json_t *json = json_loads(value + 1, JSON_DECODE_ANY, NULL);
        if (json_is_string(json)) {
                free(build->release);
                build->release = xstrdup(json_string_value(json));
        } else {
                json_int_t serial = json_integer_value(json_object_get(json, "serial"));
                build->serial = (uint64_t)serial;
        }
        json_decref(json);
}

static void read_manifest_head(int dir, struct listed_build *build) {
        auto_free char *line = NULL;
        size_t room = 0;
        int fd = openat(dir, "manifest.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return;
        FILE *stream = fdopen(fd, "r");
        if (!stream) {
                close_cleanup(&fd);
                return;
        }
        while (!build->release[0] && getline(&line, &room, stream) > 0)
                if (strncmp(line, "\"options\":", 10) == 0 || strncmp(line, "\"release\":", 10) == 0)
                        take_manifest_line(line, build);
        fclose(stream);
}

// ---- what it holds ----

struct measured_inode {
        ino_t number;
        nlink_t names, seen;
        uint64_t bytes;
};

struct measuring {
        struct listed_build *build;
        struct measured_inode *inodes; // files with several names
        size_t count;
};

static void measure_file(struct measuring *measuring, const struct stat *stat) {
        uint64_t bytes = (uint64_t)stat->st_blocks * BLOCK_BYTES;
        if (stat->st_nlink < 2) {
                measuring->build->size_bytes += bytes;
                measuring->build->alone_bytes += bytes;
                return;
        }
        for (size_t i = 0; i < measuring->count; i++)
                if (measuring->inodes[i].number == stat->st_ino) {
                        measuring->inodes[i].seen++;
                        return;
                }
        struct measured_inode *inode = array_append(&measuring->inodes, &measuring->count);
        *inode = (struct measured_inode){ stat->st_ino, stat->st_nlink, 1, bytes };
        measuring->build->size_bytes += bytes;
}

static bool is_role_directory(const struct fs_entry *entry) {
        return S_ISDIR(entry->stat->st_mode) && !strchr(entry->path, '/') && strcmp(entry->name, "pxe") != 0 &&
               strcmp(entry->name, "kickstart") != 0;
}

static bool measure_entry(const struct fs_entry *entry, void *context, struct err *err) {
        struct measuring *measuring = context;
        (void)err;
        if (is_role_directory(entry)) {
                if (measuring->build->roles.size > 0)
                        buf_append_char(&measuring->build->roles, ' ');
                buf_append_text(&measuring->build->roles, entry->name);
        }
        if (S_ISREG(entry->stat->st_mode))
                measure_file(measuring, entry->stat);
        return true;
}

static bool measure_build(int dir, struct listed_build *build, struct err *err) {
        struct measuring measuring = { .build = build };
        bool ok = fs_walk(dir, measure_entry, &measuring, err);
        for (size_t i = 0; i < measuring.count; i++)
                if (measuring.inodes[i].seen == measuring.inodes[i].names)
                        build->alone_bytes += measuring.inodes[i].bytes;
        free(measuring.inodes);
        return ok;
}

// ---- the directories ----

struct listing_place {
        const char *cluster;
        char current[PATH_MAX];
        int dir;
        bool is_partial;
        struct build_list *list;
};

static bool add_build(struct listing_place *place, const char *id, struct err *err) {
        struct stat stat;
        auto_close int dir = openat(place->dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || fstat(dir, &stat) < 0)
                return true; // a file of that name, or one that went meanwhile
        struct listed_build *build = array_append(&place->list->items, &place->list->count);
        *build = (struct listed_build){
                .cluster = xstrdup(place->cluster),
                .id = xstrdup(id),
                .release = xstrdup(""),
                .made_s = stat.st_mtim.tv_sec,
                .is_partial = place->is_partial,
                .is_current = !place->is_partial && strcmp(place->current, id) == 0,
        };
        auto_free char *mark = xasprintf(MARK_PREFIX "%s", id);
        build->is_marked = fs_exists(place->dir, mark);
        read_manifest_head(dir, build);
        return measure_build(dir, build, err);
}

// Calls back for each name in a directory; a directory that is absent has none.
typedef bool visit_name(const char *name, void *context, struct err *err);
static bool each_name(int dir, visit_name *visit, void *context, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        if (!fs_open_listing(dir, &stream, err))
                return wrap(err, "the output directory");
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (!visit(entry->d_name, context, err))
                        return false;
        return ok;
}

static bool visit_build(const char *name, void *context, struct err *err) {
        return !is_build_id(name) || add_build(context, name, err);
}

static bool list_place(struct listing_place *place, struct err *err) {
        ssize_t length = readlinkat(place->dir, "current", place->current, sizeof place->current - 1);
        place->current[length < 0 ? 0 : length] = '\0';
        return each_name(place->dir, visit_build, place, err);
}

struct listing_clusters {
        int out;
        struct build_list *list;
};

static bool list_cluster(const char *cluster, void *context, struct err *err) {
        const struct listing_clusters *clusters = context;
        auto_free char *partial = xasprintf("%s/" PARTIAL_DIR, cluster);
        auto_close int dir = openat(clusters->out, cluster, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        auto_close int parts = openat(clusters->out, partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct listing_place place = { .cluster = cluster, .dir = dir, .list = clusters->list };
        struct listing_place place_of_parts = {
                .cluster = cluster, .dir = parts, .list = clusters->list, .is_partial = true
        };
        if (cluster[0] == '.' || dir < 0)
                return true;
        return list_place(&place, err) && (parts < 0 || list_place(&place_of_parts, err));
}

static int newest_build_first(const void *left, const void *right) {
        const struct listed_build *a = left, *b = right;
        int clusters = strcmp(a->cluster, b->cluster);
        if (clusters)
                return clusters;
        if (a->is_partial != b->is_partial)
                return a->is_partial - b->is_partial;
        if (a->made_s != b->made_s)
                return (a->made_s < b->made_s) - (a->made_s > b->made_s);
        return strcmp(a->id, b->id);
}

bool build_list_read(const char *out, const char *cluster, struct build_list *ret, struct err *err) {
        struct build_list list = { 0 };
        auto_close int dir = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct listing_clusters clusters = { dir, &list };
        bool is_absent = dir < 0 && errno == ENOENT;
        if (dir < 0 && !is_absent)
                return fail(err, ERR_SYSTEM, errno, "open directory %s", out);
        if (cluster && (is_absent || !fs_exists(dir, cluster)))
                return fail(err, ERR_REFERENCE, 0, "%s has no builds of a cluster %s", out, cluster);
        bool ok = true;
        if (cluster)
                ok = list_cluster(cluster, &clusters, err);
        else if (!is_absent)
                ok = each_name(dir, list_cluster, &clusters, err);
        if (!ok) {
                build_list_release(&list);
                return wrap(err, "listing the builds in %s", out);
        }
        if (list.count > 0)
                qsort(list.items, list.count, sizeof *list.items, newest_build_first);
        *ret = list;
        return true;
}

// ---- one of them ----

static const char *last_part(const char *path) {
        const char *slash = strrchr(path, '/');
        if (!slash)
                return path;
        return slash + 1;
}

// "current" and paths to it name the build that it points to.
static bool build_fits(const struct listed_build *build, const char *name) {
        const char *last = last_part(name);
        if (strcmp(last, "current") == 0)
                return build->is_current;
        return *last && strncmp(build->id, last, strlen(last)) == 0;
}

// A path names its cluster, too: clusters with the same inputs may have builds of one id.
static bool is_in_named_place(const struct listed_build *build, const char *name) {
        const char *last = last_part(name);
        if (last == name)
                return true;
        auto_free char *directory = xstrndup(name, (size_t)(last - name - 1));
        const char *place = build->cluster;
        if (build->is_partial)
                place = PARTIAL_DIR;
        return strcmp(last_part(directory), place) == 0;
}

bool build_list_find(const struct build_list *list, const char *name, const struct listed_build **ret,
                     struct err *err) {
        auto_free char *copy = xstrdup(name);
        size_t length = strlen(copy);
        const struct listed_build *found = NULL;
        while (length > 1 && copy[length - 1] == '/')
                copy[--length] = '\0';
        for (size_t i = 0; i < list->count; i++) {
                if (!build_fits(&list->items[i], copy) || !is_in_named_place(&list->items[i], copy))
                        continue;
                if (found) {
                        fail(err, ERR_REFERENCE, 0, "`%s` names several builds: %s of %s and %s of %s", name, found->id,
                             found->cluster, list->items[i].id, list->items[i].cluster);
                        return hint(err, "more of the id, or the path, tells them apart");
                }
                found = &list->items[i];
        }
        if (!found) {
                fail(err, ERR_REFERENCE, 0, "there is no build `%s`", name);
                return hint(err, "kiln builds lists them; --out names the directory in which they are");
        }
        *ret = found;
        return true;
}
