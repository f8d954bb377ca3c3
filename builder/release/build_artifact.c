// SPDX-License-Identifier: MIT
#include "release/build_artifact.h"

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "artefact/artefact.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/json_member.h"
#include "registry/registry.h"

#define SUMS "SHA256SUMS"
#define MANIFEST "manifest.json"
#define FILE_TYPE "application/vnd.kiln.file.v1"
#define TITLE "org.opencontainers.image.title"
#define CREATED "org.opencontainers.image.created"
#define MODE "vnd.kiln.mode"

enum {
        HEX = 64,
        SUMS_MAX_BYTES = 64 << 20,
        MANIFEST_MAX_BYTES = 256 << 20,
        PATH_BYTES_MAX = 1024,
        NAME_BYTES_MAX = 63
};
enum { MODE_USUAL = 0644, MODE_READ_ONLY = 0444 };

void build_artifact_release(struct build_artifact *artifact) {
        arena_release(&artifact->arena);
        *artifact = (struct build_artifact){ 0 };
}

static int order_of_artifact_files(const void *left, const void *right) {
        const struct artifact_file *a = left, *b = right;
        return strcmp(a->path, b->path);
}

const struct artifact_file *build_artifact_find(const struct build_artifact *artifact, const char *path) {
        const struct artifact_file key = { .path = path };
        if (artifact->count == 0)
                return NULL;
        return bsearch(&key, artifact->files, artifact->count, sizeof *artifact->files, order_of_artifact_files);
}

static int order_of_contents(const void *left, const void *right) {
        const struct artifact_file *const *a = left, *const *b = right;
        int order = strcmp((*a)->sha256, (*b)->sha256);
        if (order)
                return order;
        return strcmp((*a)->path, (*b)->path);
}

static const struct artifact_file **sort_by_content(const struct build_artifact *artifact) {
        const struct artifact_file **sorted = xcalloc(artifact->count + 1, sizeof(const struct artifact_file *));
        for (size_t i = 0; i < artifact->count; i++)
                sorted[i] = &artifact->files[i];
        if (artifact->count > 0)
                qsort(sorted, artifact->count, sizeof(const struct artifact_file *), order_of_contents);
        return sorted;
}

const struct artifact_file **build_artifact_contents(const struct build_artifact *artifact, size_t *ret_count) {
        const struct artifact_file **contents = sort_by_content(artifact);
        size_t count = 0;
        for (size_t i = 0; i < artifact->count; i++)
                if (count == 0 || strcmp(contents[i]->sha256, contents[count - 1]->sha256) != 0)
                        contents[count++] = contents[i];
        *ret_count = count;
        return contents;
}

static struct artifact_file *add_artifact_file(struct build_artifact *artifact, const char *path) {
        artifact->files = arena_grow(&artifact->arena, artifact->files, artifact->count, sizeof *artifact->files);
        struct artifact_file *file = &artifact->files[artifact->count++];
        *file = (struct artifact_file){ .path = arena_strdup(&artifact->arena, path), .mode = MODE_USUAL };
        return file;
}

// ---- SHA256SUMS ----

// Takes the next line. False: there is none, or it is no "HEX  PATH"; then `*rest` is not at the end.
static bool next_sum(const char **rest, char ret_sha256[static OCI_DIGEST_SIZE], char **ret_path) {
        const char *line = *rest;
        size_t size = strcspn(line, "\n");
        if (size <= HEX + 2 || strspn(line, "0123456789abcdef") != HEX || strncmp(line + HEX, "  ", 2) != 0)
                return false;
        memcpy(ret_sha256, line, HEX);
        ret_sha256[HEX] = '\0';
        *ret_path = xstrndup(line + HEX + 2, size - HEX - 2);
        *rest = line + size + (line[size] == '\n');
        return true;
}

static bool is_listed_or_signs(const struct build_artifact *artifact, const struct artifact_file *file,
                               const bool *listed) {
        if (listed[file - artifact->files] || strcmp(file->path, SUMS) == 0)
                return true;
        auto_free char *subject = signature_subject(file->path);
        if (!subject)
                return false;
        const struct artifact_file *of = build_artifact_find(artifact, subject);
        return of && (listed[of - artifact->files] || strcmp(of->path, SUMS) == 0);
}

static bool check_listed(const struct build_artifact *artifact, const char *sums, bool *listed, struct err *err) {
        const char *rest = sums;
        while (*rest) {
                char sha256[OCI_DIGEST_SIZE];
                auto_free char *path = NULL;
                if (!next_sum(&rest, sha256, &path))
                        return fail(err, ERR_CORRUPT, 0, SUMS ": a line that is no digest and path");
                const struct artifact_file *file = build_artifact_find(artifact, path);
                if (!file)
                        return fail(err, ERR_CORRUPT, 0, "a file that " SUMS " names is not there");
                if (strcmp(file->sha256, sha256) != 0)
                        return fail(err, ERR_CORRUPT, 0, "%s is not the file that " SUMS " names", file->path);
                listed[file - artifact->files] = true;
        }
        return true;
}

bool build_artifact_check_sums(const struct build_artifact *artifact, const char *sums, struct err *err) {
        auto_free bool *listed = xcalloc(artifact->count + 1, sizeof *listed);
        if (!check_listed(artifact, sums, listed, err))
                return false;
        for (size_t i = 0; i < artifact->count; i++)
                if (!is_listed_or_signs(artifact, &artifact->files[i], listed))
                        return fail(err, ERR_CORRUPT, 0, "%s is no file of the build: " SUMS " does not name it",
                                    artifact->files[i].path);
        return true;
}

// ---- from a directory ----

struct artifact_reading {
        struct build_artifact *artifact;
        struct build_artifact listed; // what SHA256SUMS names
};

static bool read_listed(int dir, struct build_artifact *ret, struct err *err) {
        auto_buf text = { .max = SUMS_MAX_BYTES };
        if (!fs_read(dir, SUMS, &text, err))
                return false;
        const char *rest = buf_text(&text);
        while (*rest) {
                char sha256[OCI_DIGEST_SIZE];
                auto_free char *path = NULL;
                if (!next_sum(&rest, sha256, &path))
                        return fail(err, ERR_DIFFERENT, 0, SUMS ": a line that is no digest and path");
                memcpy(add_artifact_file(ret, path)->sha256, sha256, sizeof sha256);
        }
        if (ret->count > 0)
                qsort(ret->files, ret->count, sizeof *ret->files, order_of_artifact_files);
        return true;
}

static bool describe_artifact_file(const struct fs_entry *entry, void *context, struct err *err) {
        struct artifact_reading *reading = context;
        char computed[DIGEST_HEX_SIZE];
        if (!interrupt_check(err))
                return false;
        if (S_ISDIR(entry->stat->st_mode))
                return true;
        if (!S_ISREG(entry->stat->st_mode))
                return fail(err, ERR_DIFFERENT, 0, "%s: a build has files only", entry->path);
        struct artifact_file *file = add_artifact_file(reading->artifact, entry->path);
        const struct artifact_file *listed = build_artifact_find(&reading->listed, entry->path);
        file->size_bytes = (uint64_t)entry->stat->st_size;
        if (!(entry->stat->st_mode & S_IWUSR))
                file->mode = MODE_READ_ONLY;
        if (listed) {
                memcpy(file->sha256, listed->sha256, sizeof file->sha256);
                return true;
        }
        if (!digest_file("sha256", entry->parent, entry->name, computed, err))
                return false;
        memcpy(file->sha256, computed, HEX);
        return true;
}

static bool is_build_name(const char *name) { return strlen(name) == 16 && strspn(name, "0123456789abcdef") == 16; }

// As a cluster file's `cluster`.
static bool is_cluster_name(const char *name) {
        size_t length = strlen(name);
        bool has_length = length > 0 && length <= NAME_BYTES_MAX;
        return has_length && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length &&
               !strchr("-_", name[0]) && !strchr("-_", name[length - 1]);
}

static bool take_identity(const json_t *manifest, struct build_artifact *ret, struct err *err) {
        ret->build = arena_strdup(&ret->arena, member_text(manifest, "build"));
        ret->cluster = arena_strdup(&ret->arena, member_text(manifest, "cluster"));
        ret->created_s = member_number(manifest, "source_date_epoch");
        return (is_build_name(ret->build) && is_cluster_name(ret->cluster)) ||
               fail(err, ERR_DIFFERENT, 0, MANIFEST " does not say which build it is");
}

static bool read_identity(int dir, struct build_artifact *ret, struct err *err) {
        auto_buf text = { .max = MANIFEST_MAX_BYTES };
        if (!fs_read(dir, MANIFEST, &text, err))
                return false;
        json_t *manifest = json_loadb(buf_text(&text), text.size, 0, NULL);
        bool ok = take_identity(manifest, ret, err);
        json_decref(manifest);
        return ok;
}

bool build_artifact_read(int dir, bool is_partial, struct build_artifact *ret, struct err *err) {
        struct build_artifact artifact = { .is_partial = is_partial };
        struct artifact_reading reading = { .artifact = &artifact };
        bool ok = read_identity(dir, &artifact, err) && read_listed(dir, &reading.listed, err) &&
                  fs_walk(dir, describe_artifact_file, &reading, err);
        build_artifact_release(&reading.listed);
        if (!ok) {
                build_artifact_release(&artifact);
                return false;
        }
        qsort(artifact.files, artifact.count, sizeof *artifact.files, order_of_artifact_files);
        *ret = artifact;
        return true;
}

// ---- as a manifest ----

static json_t *describe_empty(void) {
        return json_pack("{ss ss si ss}", "mediaType", OCI_EMPTY_TYPE, "digest", "sha256:" OCI_EMPTY_SHA256, "size", 2,
                         "data", "e30=");
}

static json_t *describe_layer(const struct artifact_file *file, const char *type) {
        auto_free char *digest = xasprintf("sha256:%s", file->sha256);
        json_t *annotations = json_pack("{ss}", TITLE, file->path);
        if (file->mode != MODE_USUAL) {
                auto_free char *mode = xasprintf("%04o", (unsigned)file->mode);
                (void)!json_object_set_new(annotations, MODE, json_string(mode));
        }
        return json_pack("{ss ss sI so}", "mediaType", type, "digest", digest, "size", (json_int_t)file->size_bytes,
                         "annotations", annotations);
}

static json_t *describe_identity(const struct build_artifact *artifact) {
        char created[sizeof "2015-12-14T00:00:00Z +++++++++++++"] = "";
        struct tm when;
        const time_t seconds = artifact->created_s;
        if (gmtime_r(&seconds, &when))
                strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &when);
        json_t *annotations = json_pack("{ss ss ss}", CREATED, created, "vnd.kiln.build", artifact->build,
                                        "vnd.kiln.cluster", artifact->cluster);
        if (artifact->is_partial)
                (void)!json_object_set_new(annotations, "vnd.kiln.partial", json_string("true"));
        return annotations;
}

// Takes `layers`.
static json_t *begin_manifest(const char *type, json_t *layers) {
        return json_pack("{si ss ss so so}", "schemaVersion", 2, "mediaType", OCI_MANIFEST_TYPE, "artifactType", type,
                         "config", describe_empty(), "layers", layers);
}

char *build_artifact_format(const struct build_artifact *artifact) {
        json_t *layers = json_array();
        for (size_t i = 0; i < artifact->count; i++)
                (void)!json_array_append_new(layers, describe_layer(&artifact->files[i], FILE_TYPE));
        json_t *manifest = begin_manifest(ARTIFACT_TYPE, layers);
        (void)!json_object_set_new(manifest, "annotations", describe_identity(artifact));
        char *text = json_dumps(manifest, JSON_COMPACT);
        json_decref(manifest);
        return text;
}

char *build_artifact_format_referrer(const struct build_artifact *artifact, const char *subject, size_t subject_size,
                                     const char *type, bool (*takes)(const struct artifact_file *file)) {
        json_t *layers = json_array();
        for (size_t i = 0; i < artifact->count; i++)
                if (takes(&artifact->files[i]))
                        (void)!json_array_append_new(layers, describe_layer(&artifact->files[i], type));
        if (json_array_size(layers) == 0) {
                json_decref(layers);
                return NULL;
        }
        json_t *manifest = begin_manifest(type, layers);
        (void)!json_object_set_new(manifest, "subject",
                                   json_pack("{ss ss sI}", "mediaType", OCI_MANIFEST_TYPE, "digest", subject, "size",
                                             (json_int_t)subject_size));
        (void)!json_object_set_new(manifest, "annotations", describe_identity(artifact));
        char *text = json_dumps(manifest, JSON_COMPACT);
        json_decref(manifest);
        return text;
}

// ---- of anybody ----

// Printable ASCII, no part of it hidden, "." or "..": so are the names that kiln gives.
static bool is_path_of_build(const char *path) {
        size_t length = strlen(path);
        if (length == 0 || length > PATH_BYTES_MAX || path[length - 1] == '/')
                return false;
        for (const char *byte = path; *byte; byte++) {
                bool begins_part = byte == path || byte[-1] == '/';
                if (*byte <= ' ' || *byte >= 0x7f || *byte == '\\' || (begins_part && strchr("./-~", *byte)))
                        return false;
        }
        return true;
}

static bool parse_layer(const json_t *layer, struct build_artifact *artifact, struct err *err) {
        const json_t *annotations = json_object_get(layer, "annotations"), *size = json_object_get(layer, "size");
        const char *title = member_text(annotations, TITLE), *digest = member_text(layer, "digest");
        const char *mode = member_text(annotations, MODE);
        if (!is_path_of_build(title))
                return fail(err, ERR_CORRUPT, 0, "a layer's title is no path of a file in a build");
        bool is_descriptor = oci_is_digest(digest) && json_is_integer(size) && json_integer_value(size) >= 0;
        if (!is_descriptor)
                return fail(err, ERR_CORRUPT, 0, "%s has no sha256 digest and size", title);
        bool is_read_only = strcmp(mode, "0444") == 0;
        if (*mode && !is_read_only && strcmp(mode, "0644") != 0)
                return fail(err, ERR_CORRUPT, 0, "%s has a mode that is neither 0644 nor 0444", title);
        struct artifact_file *file = add_artifact_file(artifact, title);
        memcpy(file->sha256, digest + strlen("sha256:"), OCI_DIGEST_SIZE);
        file->size_bytes = (uint64_t)json_integer_value(size);
        if (is_read_only)
                file->mode = MODE_READ_ONLY;
        return true;
}

// Sorted, what is below a file need not come right behind it ("a", "a-b", "a/c"): each is asked for its directories.
static bool check_places(const struct build_artifact *artifact, struct err *err) {
        for (size_t i = 0; i < artifact->count; i++) {
                const char *path = artifact->files[i].path;
                if (i > 0 && strcmp(path, artifact->files[i - 1].path) == 0)
                        return fail(err, ERR_CORRUPT, 0, "%s is there twice", path);
                auto_free char *above = xstrdup(path);
                for (char *slash; (slash = strrchr(above, '/'));) {
                        *slash = '\0';
                        if (build_artifact_find(artifact, above))
                                return fail(err, ERR_CORRUPT, 0, "%s is a file and a directory", above);
                }
        }
        return true;
}

static bool check_sizes(const struct build_artifact *artifact, struct err *err) {
        uint64_t total = 0;
        for (size_t i = 0; i < artifact->count; i++)
                if (__builtin_add_overflow(total, artifact->files[i].size_bytes, &total) || total > INT64_MAX)
                        return fail(err, ERR_CORRUPT, 0, "its files are larger than any disk");
        auto_free const struct artifact_file **contents = sort_by_content(artifact);
        for (size_t i = 0, first = 0; i < artifact->count; i++) {
                if (strcmp(contents[i]->sha256, contents[first]->sha256) != 0)
                        first = i;
                if (contents[i]->size_bytes != contents[first]->size_bytes)
                        return fail(err, ERR_CORRUPT, 0, "%s and %s have one digest and two sizes", contents[i]->path,
                                    contents[first]->path);
        }
        return true;
}

static bool parse_layers(const json_t *manifest, struct build_artifact *artifact, struct err *err) {
        const json_t *layers = json_object_get(manifest, "layers"), *layer;
        size_t i;
        json_array_foreach((json_t *)layers, i, layer) // only read
            if (!parse_layer(layer, artifact, err)) return false;
        if (artifact->count == 0)
                return fail(err, ERR_CORRUPT, 0, "it has no files");
        qsort(artifact->files, artifact->count, sizeof *artifact->files, order_of_artifact_files);
        return check_places(artifact, err) && check_sizes(artifact, err);
}

static bool parse_identity(const json_t *manifest, struct build_artifact *artifact, struct err *err) {
        const json_t *annotations = json_object_get(manifest, "annotations");
        artifact->build = arena_strdup(&artifact->arena, member_text(annotations, "vnd.kiln.build"));
        artifact->cluster = arena_strdup(&artifact->arena, member_text(annotations, "vnd.kiln.cluster"));
        artifact->is_partial = strcmp(member_text(annotations, "vnd.kiln.partial"), "true") == 0;
        return (is_build_name(artifact->build) && is_cluster_name(artifact->cluster)) ||
               fail(err, ERR_CORRUPT, 0, "its annotations do not say which build of which cluster it is");
}

static bool is_build_manifest(const json_t *manifest) {
        const char *media_type = member_text(manifest, "mediaType");
        return member_number(manifest, "schemaVersion") == 2 && strcmp(media_type, OCI_MANIFEST_TYPE) == 0 &&
               strcmp(member_text(manifest, "artifactType"), ARTIFACT_TYPE) == 0;
}

bool build_artifact_parse(const char *text, size_t size, struct build_artifact *ret, struct err *err) {
        struct build_artifact artifact = { 0 };
        json_t *manifest = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        bool ok = is_build_manifest(manifest);
        if (ok)
                ok = parse_identity(manifest, &artifact, err) && parse_layers(manifest, &artifact, err);
        else
                fail(err, ERR_CORRUPT, 0, "it is not what kiln push makes");
        json_decref(manifest);
        if (ok)
                *ret = artifact;
        else
                build_artifact_release(&artifact);
        return ok;
}
