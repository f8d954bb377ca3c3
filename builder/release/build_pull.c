// SPDX-License-Identifier: MIT
#include "release/build_pull.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "base/progress.h"
#include "build/publish.h"
#include "release/build_artifact.h"
#include "release/pull_contents.h"
#include "verify/verify.h"

#define LEFTOVER_PREFIX ".pull-"
#define SUMS "SHA256SUMS"

enum { SUMS_MAX_BYTES = 64 << 20, MANIFEST_MAX_BYTES = 256 << 20, LEFTOVER_DIGITS = 16 };

struct pulling {
        struct registry *registry;
        const struct build_pull_options *options;
        struct build_artifact artifact;
        char *digest; // of the manifest
        char *parent; // <out>/<cluster>[/partial]
        char *leftover;
        struct publication publication;
        char *summary;
        uint64_t bytes, loaded_bytes;
        bool was_there;
};

void build_pull_result_release(struct build_pull_result *result) {
        free(result->build);
        free(result->cluster);
        free(result->digest);
        free(result->path);
        free(result->summary);
        *result = (struct build_pull_result){ 0 };
}

// ---- what the registry says ----

// The list of digests comes first: what is no file of the build is not loaded.
static bool check_against_sums(const struct pulling *pulling, struct err *err) {
        const struct artifact_file *sums = build_artifact_find(&pulling->artifact, SUMS);
        auto_buf text = { .max = SUMS_MAX_BYTES };
        if (!sums)
                return fail(err, ERR_CORRUPT, 0, "there is no " SUMS " in it");
        if (!registry_read_blob(pulling->registry, sums->sha256, &text, err))
                return false;
        if (strlen(buf_text(&text)) != text.size)
                return fail(err, ERR_CORRUPT, 0, SUMS " is no text");
        return build_artifact_check_sums(&pulling->artifact, buf_text(&text), err);
}

static bool read_artifact(struct pulling *pulling, struct err *err) {
        const struct build_pull_options *options = pulling->options;
        auto_buf text = { .max = REGISTRY_MANIFEST_MAX };
        bool is_there;
        if (!registry_read_manifest(pulling->registry, options->name, &text, &pulling->digest, &is_there, err))
                return false;
        if (!is_there) {
                fail(err, ERR_REFERENCE, 0, "the registry has nothing of that name");
                return hint(err, "kiln push prints the names of what it pushed");
        }
        return build_artifact_parse(buf_text(&text), text.size, &pulling->artifact, err) &&
               check_against_sums(pulling, err);
}

// ---- what is there ----

static bool has_same_content(int dir, const struct artifact_file *file) {
        char sha256[DIGEST_HEX_SIZE];
        auto_err ignored = { 0 };
        auto_close int fd = openat(dir, file->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        return fd >= 0 && digest_fd("sha256", fd, sha256, &ignored) && strcmp(sha256, file->sha256) == 0;
}

static bool is_pulled_signature(const struct artifact_file *file) {
        size_t length = strlen(file->path), end = strlen(".sig");
        return length > end && strcmp(file->path + length - end, ".sig") == 0;
}

// What a build's id names is one set of files: another one, however whole, does not take the place of what is
// published.
static bool refuse_other_files(const struct pulling *pulling, struct err *err) {
        fail(err, ERR_DIFFERENT, 0, "build %s is published in %s with other files", pulling->artifact.build,
             pulling->parent);
        return hint(err,
                    "one of the two is not what its id says. kiln verify PATH tells of the one here; --out DIR takes "
                    "the other one to a place of its own");
}

// Whether the build is there, with the same list of files, and whole; with --key, with the same signatures, too:
// without it nobody would look at those that take their place. DIFFERENT: it is whole, and has other files.
static bool find_published(struct pulling *pulling, bool *ret, struct err *err) {
        const char *id = pulling->artifact.build;
        bool has_same_files = true, has_same_signatures = true;
        auto_free char *difference = NULL;
        auto_close int dir = openat(pulling->publication.dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        *ret = false;
        if (dir < 0)
                return true;
        for (size_t i = 0; i < pulling->artifact.count; i++) {
                const struct artifact_file *file = &pulling->artifact.files[i];
                if (strcmp(file->path, SUMS) == 0)
                        has_same_files = has_same_content(dir, file);
                else if (is_pulled_signature(file) && !has_same_content(dir, file))
                        has_same_signatures = false;
        }
        if (!publication_examine(&pulling->publication, id, pulling->options->jobs, &difference, err))
                return false;
        if (!difference && !has_same_files)
                return refuse_other_files(pulling, err);
        *ret = !difference && (has_same_signatures || !pulling->options->key_file);
        if (difference)
                notice("build %s is there, but not as it was published: %s; it is loaded anew", id, difference);
        return true;
}

// ---- checking ----

// What kiln verify says, without the path.
static char *words_behind(const char *summary, const char *name) {
        const char *place = strstr(summary, name);
        if (place)
                place = strstr(place, ": ");
        if (!place)
                return xstrdup(summary);
        return xstrdup(place + strlen(": "));
}

static bool check_pulled_tree(struct pulling *pulling, const char *name, struct err *err) {
        auto_free char *path = xasprintf("%s/%s", pulling->parent, name);
        const struct verify_options verify = { .build = path,
                                               .key_file = pulling->options->key_file,
                                               .jobs = pulling->options->jobs };
        auto_free char *summary = NULL;
        if (!verify_build(&verify, &summary, err))
                return false;
        pulling->summary = words_behind(summary, name);
        return true;
}

static bool is_who_it_says(const struct pulling *pulling, const json_t *manifest) {
        return strcmp(member_text(manifest, "build"), pulling->artifact.build) == 0 &&
               strcmp(member_text(manifest, "cluster"), pulling->artifact.cluster) == 0;
}

// A build of --only that says it is whole could become `current`.
static bool is_whole_as_it_says(const struct pulling *pulling, const json_t *manifest) {
        const json_t *only = json_object_get(json_object_get(manifest, "options"), "only");
        return pulling->artifact.is_partial || json_array_size(only) == 0;
}

static bool check_identity(const struct pulling *pulling, struct err *err) {
        auto_buf text = { .max = MANIFEST_MAX_BYTES };
        if (!fs_read(pulling->publication.staging, "manifest.json", &text, err))
                return false;
        json_t *manifest = json_loadb(buf_text(&text), text.size, 0, NULL);
        bool ok = is_who_it_says(pulling, manifest) && is_whole_as_it_says(pulling, manifest);
        json_decref(manifest);
        return ok ||
               fail(err, ERR_DIFFERENT, 0, "its annotations say that it is build %s of %s, its manifest.json does not",
                    pulling->artifact.build, pulling->artifact.cluster);
}

// ---- loading ----

static bool remove_other_leftovers(const struct pulling *pulling, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        if (!fs_open_listing(pulling->publication.dir, &stream, err))
                return false;
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (strncmp(entry->d_name, LEFTOVER_PREFIX, strlen(LEFTOVER_PREFIX)) == 0 &&
                    !fs_remove_tree(pulling->publication.dir, entry->d_name, err))
                        return false;
        return ok;
}

static bool open_contents(struct pulling *pulling, struct pull_contents *contents, struct err *err) {
        contents->place = pulling->publication.dir;
        return fs_mkdirs(pulling->publication.dir, pulling->leftover, 0700, err) &&
               fs_open_dir(pulling->publication.dir, pulling->leftover, &contents->dir, err) &&
               pull_contents_open(contents, err);
}

static bool stage_build(struct pulling *pulling, struct err *err) {
        struct pull_contents contents = { .registry = pulling->registry, .artifact = &pulling->artifact, .dir = -1 };
        struct publication *publication = &pulling->publication;
        bool ok = open_contents(pulling, &contents, err) && pull_contents_gather(&contents, err) &&
                  publication_stage(publication, pulling->artifact.build, err) &&
                  pull_contents_spread(&contents, publication->staging, err);
        pulling->bytes = pull_contents_bytes(&contents);
        pulling->loaded_bytes = contents.loaded_bytes;
        pull_contents_release(&contents);
        return ok;
}

// What a lost connection or Ctrl-C left is whole as far as it goes; of anything else nothing stays.
static void clean_up(const struct pulling *pulling, bool ok, const struct err *err) {
        auto_err ignored = { 0 };
        struct stat stat;
        bool may_go_on = err->kind == ERR_NETWORK || err->kind == ERR_INTERRUPTED;
        if (ok)
                (void)!remove_other_leftovers(pulling, &ignored);
        else if (!may_go_on)
                (void)!fs_remove_tree(pulling->publication.dir, pulling->leftover, &ignored);
        else if (fstatat(pulling->publication.dir, pulling->leftover, &stat, AT_SYMLINK_NOFOLLOW) == 0)
                notice("what has come is kept in %s/%s: the same command goes on with it", pulling->parent,
                       pulling->leftover);
}

static bool load_build(struct pulling *pulling, struct err *err) {
        struct publication *publication = &pulling->publication;
        const char *id = pulling->artifact.build;
        return stage_build(pulling, err) && check_identity(pulling, err) &&
               check_pulled_tree(pulling, publication->staging_name, err) &&
               publication_seal(publication, id, NULL, err) && publication_place(publication, id, err);
}

static bool load_or_keep(struct pulling *pulling, struct err *err) {
        if (!find_published(pulling, &pulling->was_there, err))
                return false;
        if (pulling->was_there)
                return check_pulled_tree(pulling, pulling->artifact.build, err);
        bool ok = load_build(pulling, err);
        clean_up(pulling, ok, err);
        return ok;
}

static bool load_locked(struct pulling *pulling, struct err *err) {
        const struct build_artifact *artifact = &pulling->artifact;
        const char *out = pulling->options->out;
        if (!publication_check_owners(out, artifact->cluster, err) ||
            !publication_open(out, artifact->cluster, artifact->is_partial, &pulling->publication, err))
                return false;
        bool ok = load_or_keep(pulling, err);
        publication_close(&pulling->publication);
        return ok;
}

// ---- --dry-run ----

static bool say_what_would_come(struct pulling *pulling, struct err *err) {
        struct pull_contents contents = {
                .artifact = &pulling->artifact,
                .dir = -1,
                .place = open(pulling->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        };
        auto_close int place = contents.place;
        bool ok = pull_contents_open(&contents, err);
        if (ok) {
                pulling->bytes = pull_contents_bytes(&contents);
                pulling->loaded_bytes = pull_contents_lacking(&contents);
        }
        pull_contents_release(&contents);
        (void)place;
        return ok;
}

// ---- all of it ----

static void name_places(struct pulling *pulling) {
        const struct build_artifact *artifact = &pulling->artifact;
        const char *part = "";
        if (artifact->is_partial)
                part = "/" PARTIAL_DIR;
        pulling->parent = xasprintf("%s/%s%s", pulling->options->out, artifact->cluster, part);
        pulling->leftover = xasprintf(LEFTOVER_PREFIX "%.*s", LEFTOVER_DIGITS, pulling->digest + strlen("sha256:"));
}

static void take_pull_result(struct pulling *pulling, struct build_pull_result *ret) {
        const struct build_artifact *artifact = &pulling->artifact;
        *ret = (struct build_pull_result){
                .build = xstrdup(artifact->build),
                .cluster = xstrdup(artifact->cluster),
                .digest = take_ptr(pulling->digest),
                .path = xasprintf("%s/%s", pulling->parent, artifact->build),
                .summary = take_ptr(pulling->summary),
                .is_partial = artifact->is_partial,
                .was_there = pulling->was_there,
                .files = artifact->count,
                .bytes = pulling->bytes,
                .loaded_bytes = pulling->loaded_bytes,
        };
}

static bool pull_named(struct pulling *pulling, struct err *err) {
        if (!read_artifact(pulling, err))
                return false;
        name_places(pulling);
        if (pulling->options->is_dry)
                return say_what_would_come(pulling, err);
        return load_locked(pulling, err);
}

bool build_pull(struct registry *registry, const struct build_pull_options *options, struct build_pull_result *ret,
                struct err *err) {
        struct pulling pulling = { .registry = registry, .options = options, .publication = PUBLICATION_CLOSED };
        bool ok = pull_named(&pulling, err) || wrap(err, "pulling %s", options->shown);
        if (ok)
                take_pull_result(&pulling, ret);
        build_artifact_release(&pulling.artifact);
        free(pulling.digest);
        free(pulling.parent);
        free(pulling.leftover);
        free(pulling.summary);
        return ok;
}
