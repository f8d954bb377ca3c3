// SPDX-License-Identifier: MIT
#include "cache/cached_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/entry.h"

#define INFO_NAME "info.json"
#define PLACE_NAME "place.json"

// What is known of an entry: two JSON objects with a member for each file.
struct described {
        json_t *info, *places;
};

static void described_release(struct described *described) {
        json_decref(described->info);
        json_decref(described->places);
}

static json_t *read_object(int dir, const char *name) {
        auto_buf text = { 0 };
        auto_err absent = { 0 };
        json_error_t error;
        if (!fs_read(dir, name, &text, &absent))
                return NULL;
        return json_loadb(buf_text(&text), text.size, 0, &error);
}

static struct described read_description(int dir) {
        struct described described = { read_object(dir, INFO_NAME), read_object(dir, PLACE_NAME) };
        if (json_is_object(described.places))
                return described;
        json_decref(described.places);
        described.places = json_object();
        return described;
}

static void put_place(json_t *places, const char *name, const struct file_place *place) {
        json_t *described =
            json_pack("{sI sI sI sI}", "inode", (json_int_t)place->inode, "size", (json_int_t)place->size_bytes,
                      "mtime_ns", (json_int_t)place->modified_ns, "ctime_ns", (json_int_t)place->changed_ns);
        (void)!json_object_set_new(places, name, described); // what cannot be named is read again
}

// What is not there is 0, which no file has.
static struct file_place noted_place(const json_t *places, const char *name) {
        const json_t *place = json_object_get(places, name);
        return (struct file_place){
                .inode = (uint64_t)json_integer_value(json_object_get(place, "inode")),
                .size_bytes = (uint64_t)json_integer_value(json_object_get(place, "size")),
                .modified_ns = json_integer_value(json_object_get(place, "mtime_ns")),
                .changed_ns = json_integer_value(json_object_get(place, "ctime_ns")),
        };
}

static bool write_places(int dir, const json_t *places, struct err *err) {
        static const char staging[] = PLACE_NAME ".new"; // whoever writes here holds the entry's lock
        auto_free char *text = json_dumps(places, JSON_COMPACT | JSON_SORT_KEYS);
        if (!fs_remove_tree(dir, staging, err) || !fs_write(dir, staging, text, strlen(text), 0644, err))
                return false;
        return renameat(dir, staging, dir, PLACE_NAME) == 0 || fail(err, ERR_SYSTEM, errno, "rename %s", staging);
}

// ---- of a new entry ----

// Digests a file and writes down what it is, and where it lies.
static bool describe_file(const struct fs_entry *entry, void *context, struct err *err) {
        const struct described *described = context;
        const struct file_place place = file_place_of(entry->stat);
        char sha256[DIGEST_HEX_SIZE];
        auto_close int fd = -1;
        if (!fs_open(entry->parent, entry->name, O_RDONLY | O_NOFOLLOW, 0, &fd, err) ||
            !digest_fd("sha256", fd, sha256, err))
                return false;
        if (fsync(fd) < 0)
                return fail(err, ERR_SYSTEM, errno, "write %s", entry->name);
        json_t *info = json_pack("{ss sI}", "sha256", sha256, "size", (json_int_t)place.size_bytes);
        if (json_object_set_new(described->info, entry->name, info) < 0)
                return fail(err, ERR_INTERNAL, 0, "%s cannot be described", entry->name);
        put_place(described->places, entry->name, &place);
        return true;
}

static bool write_description(int dir, struct err *err) {
        struct described described = { json_object(), json_object() };
        bool ok = fs_walk(dir, describe_file, &described, err) && write_places(dir, described.places, err);
        auto_free char *text = json_dumps(described.info, JSON_COMPACT | JSON_SORT_KEYS);
        described_release(&described);
        return ok && fs_write_atomic(dir, INFO_NAME, text, strlen(text), 0644, err);
}

// ---- whether a file is what was put there ----

static bool has_digest(int dir, const char *name, const char *expected) {
        char sha256[DIGEST_HEX_SIZE];
        auto_err ignored = { 0 };
        return digest_file("sha256", dir, name, sha256, &ignored) && strcmp(sha256, expected) == 0;
}

// A file that moved and is the same gets its new place, and `*ret_moved` is set.
static bool file_is_same(int dir, const char *name, const struct described *described, bool *ret_moved) {
        const json_t *info = json_object_get(described->info, name);
        const char *sealed = json_string_value(json_object_get(info, "sha256"));
        const json_int_t size = json_integer_value(json_object_get(info, "size"));
        const struct file_place noted = noted_place(described->places, name);
        struct file_place place;
        if (!sealed || strlen(sealed) != CACHED_FILE_SHA256_SIZE - 1 || !file_place_find(dir, name, &place) ||
            place.size_bytes != (uint64_t)size)
                return false;
        if (file_place_equal(&place, &noted))
                return true;
        *ret_moved = true;
        put_place(described->places, name, &place);
        return has_digest(dir, name, sealed);
}

// The name of the first file that is not what was put there, or NULL.
static const char *find_changed(int dir, const struct described *described, bool *ret_moved) {
        const char *name;
        json_t *file;
        json_object_foreach(described->info, name, file) {
                if (!file_is_same(dir, name, described, ret_moved))
                        return name;
        }
        return NULL;
}

// ---- obtaining one ----

struct obtaining {
        const char *name; // NULL: any
        cached_file_make *make;
        void *context;
        struct cached_file *ret;
        bool only_looks; // and does not note where a file moved to
};

static void take_cached_facts(const struct described *described, const char *name, struct cached_file *ret) {
        const json_t *info = json_object_get(described->info, name);
        memcpy(ret->sha256, json_string_value(json_object_get(info, "sha256")), sizeof ret->sha256);
        ret->size_bytes = (uint64_t)json_integer_value(json_object_get(info, "size"));
        ret->place = noted_place(described->places, name);
}

static bool knows_wanted(const struct described *described, const char *name) {
        if (!name)
                return json_object_size(described->info) > 0;
        return json_object_get(described->info, name) != NULL;
}

static void note_moved(int dir, const char *path, const struct described *described) {
        auto_err unwritten = { 0 };
        if (!write_places(dir, described->places, &unwritten))
                notice("%s will be read again, since where it lies cannot be noted: %s", path, unwritten.text);
}

// An entry that cannot be read is like one that is damaged: it is made again.
static bool check_cached_file(int dir, const char *path, void *context, bool *ret_whole, struct err *err) {
        const struct obtaining *obtaining = context;
        bool moved = false;
        struct described described = read_description(dir);
        const char *changed = NULL;
        (void)err;
        *ret_whole = knows_wanted(&described, obtaining->name);
        if (*ret_whole)
                changed = find_changed(dir, &described, &moved);
        if (changed && obtaining->make)
                warning("%s/%s is not what was put there; it is made again", path, changed);
        if (changed)
                *ret_whole = false;
        if (*ret_whole && obtaining->ret)
                take_cached_facts(&described, obtaining->name, obtaining->ret);
        if (*ret_whole && moved && !obtaining->only_looks)
                note_moved(dir, path, &described);
        described_release(&described);
        return true;
}

static bool make_cached_file(int dir, void *context, struct err *err) {
        const struct obtaining *obtaining = context;
        if (!obtaining->make(dir, obtaining->context, err) || !write_description(dir, err))
                return false;
        struct described described = read_description(dir);
        bool was_made = knows_wanted(&described, obtaining->name);
        if (was_made)
                take_cached_facts(&described, obtaining->name, obtaining->ret);
        described_release(&described);
        return was_made || fail(err, ERR_INTERNAL, 0, "%s was not made", obtaining->name);
}

bool cached_file_obtain(struct cache *cache, enum cache_kind kind, const char *key, const char *name,
                        cached_file_make *make, void *context, struct cached_file *ret, struct err *err) {
        assert(!strchr(name, '/') && make && ret);
        static const struct entry_maker maker = { check_cached_file, make_cached_file };
        struct obtaining obtaining = { .name = name, .make = make, .context = context, .ret = ret };
        return entry_obtain(cache, kind, key, &maker, &obtaining, err);
}

bool cached_file_is_whole(struct cache *cache, enum cache_kind kind, const char *key) {
        struct obtaining looking = { .only_looks = cache_only_looks(cache) };
        bool is_whole = false;
        auto_err ignored = { 0 };
        return entry_look(cache, kind, key, check_cached_file, &looking, &is_whole, &ignored) && is_whole;
}

// ---- all of it ----

struct looking {
        json_t *info; // without what was looked at
        char *difference;
};

static bool look_at_file(const struct fs_entry *entry, void *context, struct err *err) {
        struct looking *looking = context;
        char sha256[DIGEST_HEX_SIZE];
        bool is_note = strcmp(entry->path, INFO_NAME) == 0 || strncmp(entry->path, PLACE_NAME, strlen(PLACE_NAME)) == 0;
        const json_t *info = json_object_get(looking->info, entry->path);
        const char *expected = json_string_value(json_object_get(info, "sha256"));
        if (is_note || looking->difference)
                return true;
        bool can_be_it = expected && S_ISREG(entry->stat->st_mode);
        if (can_be_it && !digest_file("sha256", entry->parent, entry->name, sha256, err))
                return wrap(err, "%s", entry->path);
        if (!can_be_it || strcmp(sha256, expected) != 0)
                looking->difference = xstrdup(entry->path);
        else
                (void)!json_object_del(looking->info, entry->path);
        return true;
}

bool cached_file_look(int dir, char **ret_difference, struct err *err) {
        struct looking looking = { .info = read_object(dir, INFO_NAME) };
        bool ok = fs_walk(dir, look_at_file, &looking, err);
        const char *left = json_object_iter_key(json_object_iter(looking.info));
        if (ok && !looking.difference && (left || !looking.info))
                looking.difference = xstrdup(text_or(left, INFO_NAME));
        json_decref(looking.info);
        *ret_difference = looking.difference;
        return ok;
}

// ---- where it lies ----

struct placing {
        const char *name;
        const struct file_place *place;
};

static bool note_in_places(int dir, json_t *places, const struct placing *placing, struct err *err) {
        const struct file_place noted = noted_place(places, placing->name);
        struct file_place found;
        bool is_there = file_place_find(dir, placing->name, &found) && file_place_equal(&found, placing->place);
        if (!is_there || file_place_equal(&found, &noted))
                return true;
        put_place(places, placing->name, &found);
        return write_places(dir, places, err);
}

static bool note_place_of_held(int dir, const char *path, void *context, bool *ret_whole, struct err *err) {
        struct described described = read_description(dir);
        bool ok = note_in_places(dir, described.places, context, err);
        (void)path;
        (void)ret_whole;
        described_release(&described);
        return ok;
}

bool cached_file_note_place(struct cache *cache, enum cache_kind kind, const char *key, const char *name,
                            const struct file_place *place, struct err *err) {
        struct placing placing = { name, place };
        bool ignored;
        return entry_look(cache, kind, key, note_place_of_held, &placing, &ignored, err);
}
