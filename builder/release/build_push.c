// SPDX-License-Identifier: MIT
#include "release/build_push.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "build/publish.h"
#include "release/build_artifact.h"
#include "verify/verify.h"

enum { AT_ONCE = 4 }; // blobs: what a registry far away costs is waiting

struct pushing {
        struct registry *registry;
        const struct build_push_options *options;
        struct build_artifact artifact;
        int dir;
        const struct artifact_file **blobs; // of each content one file
        size_t blob_count;
        struct progress progress;
        atomic_size_t sent, mounted;
        _Atomic uint64_t sent_bytes;
};

void build_push_result_release(struct build_push_result *result) {
        free(result->build);
        free(result->cluster);
        free(result->digest);
        *result = (struct build_push_result){ 0 };
}

// ---- contents ----

static void count_sent(struct pushing *pushing, const struct artifact_file *file, enum registry_sent how) {
        if (how == REGISTRY_MOUNTED)
                atomic_fetch_add(&pushing->mounted, 1);
        if (how != REGISTRY_SENT)
                return;
        atomic_fetch_add(&pushing->sent, 1);
        atomic_fetch_add(&pushing->sent_bytes, file->size_bytes);
}

static bool push_content(size_t index, void *context, struct err *err) {
        struct pushing *pushing = context;
        const struct artifact_file *file = pushing->blobs[index];
        const struct registry_blob blob = { file->sha256, file->size_bytes };
        enum registry_sent how = REGISTRY_SENT;
        auto_close int fd = -1;
        if (!fs_open(pushing->dir, file->path, O_RDONLY | O_NOFOLLOW, 0, &fd, err))
                return false;
        const struct registry_content content = { .fd = fd };
        if (!registry_push_blob(pushing->registry, &blob, &content, pushing->options->mounts, &pushing->progress, &how,
                                err))
                return wrap(err, "%s", file->path);
        count_sent(pushing, file, how);
        return true;
}

static bool ask_for_content(size_t index, void *context, struct err *err) {
        struct pushing *pushing = context;
        bool is_there = false;
        if (!registry_has_blob(pushing->registry, pushing->blobs[index]->sha256, &is_there, err))
                return false;
        progress_add(&pushing->progress, pushing->blobs[index]->size_bytes);
        if (!is_there)
                count_sent(pushing, pushing->blobs[index], REGISTRY_SENT);
        return true;
}

static uint64_t bytes_of_contents(const struct pushing *pushing) {
        uint64_t total = 0;
        for (size_t i = 0; i < pushing->blob_count; i++)
                total += pushing->blobs[i]->size_bytes;
        return total;
}

static bool push_contents(struct pushing *pushing, struct err *err) {
        parallel_work *work = push_content;
        if (pushing->options->is_dry)
                work = ask_for_content;
        progress_begin(&pushing->progress, "push", "bytes", bytes_of_contents(pushing));
        bool ok = parallel_for(pushing->blob_count, AT_ONCE, work, pushing, err);
        progress_end(&pushing->progress, ok);
        return ok;
}

// ---- manifests ----

static bool is_spdx(const struct artifact_file *file) { return strcmp(file->path, "sbom.spdx.json") == 0; }
static bool is_cyclonedx(const struct artifact_file *file) { return strcmp(file->path, "sbom.cdx.json") == 0; }
static bool is_signature_file(const struct artifact_file *file) {
        auto_free char *subject = signature_subject(file->path);
        return subject != NULL;
}

static const struct referrer_kind {
        const char *type;
        bool (*takes)(const struct artifact_file *file);
} referrer_kinds[] = {
        { "application/spdx+json", is_spdx },
        { "application/vnd.cyclonedx+json", is_cyclonedx },
        { ARTIFACT_SIGNATURES_TYPE, is_signature_file },
};

static bool push_referrers(const struct pushing *pushing, const char *subject, size_t subject_size, struct err *err) {
        for (size_t i = 0; i < lengthof(referrer_kinds); i++) {
                const struct referrer_kind *kind = &referrer_kinds[i];
                auto_free char *text =
                    build_artifact_format_referrer(&pushing->artifact, subject, subject_size, kind->type, kind->takes);
                const struct registry_referrer referrer = { text, kind->type, subject };
                if (text && !registry_push_referrer(pushing->registry, &referrer, err))
                        return wrap(err, "%s", kind->type);
        }
        return true;
}

static bool push_manifests(const struct pushing *pushing, const char *text, const char *digest, struct err *err) {
        struct registry *registry = pushing->registry;
        const char *id = pushing->artifact.build, *tag = pushing->options->tag;
        if (pushing->options->is_dry)
                return true;
        if (!registry_push_empty(registry, err) ||
            !registry_push_manifest(registry, id, OCI_MANIFEST_TYPE, text, err) ||
            !push_referrers(pushing, digest, strlen(text), err))
                return false;
        return strcmp(tag, id) == 0 || registry_push_manifest(registry, tag, OCI_MANIFEST_TYPE, text, err);
}

// ---- all of it ----

static void take_push_result(const struct pushing *pushing, const char *digest, struct build_push_result *ret) {
        *ret = (struct build_push_result){
                .build = xstrdup(pushing->artifact.build),
                .cluster = xstrdup(pushing->artifact.cluster),
                .digest = xstrdup(digest),
                .files = pushing->artifact.count,
                .blobs = pushing->blob_count,
                .sent = atomic_load(&pushing->sent),
                .mounted = atomic_load(&pushing->mounted),
                .bytes = bytes_of_contents(pushing),
                .sent_bytes = atomic_load(&pushing->sent_bytes),
        };
}

static bool push_described(struct pushing *pushing, struct build_push_result *ret, struct err *err) {
        char hex[DIGEST_HEX_SIZE];
        auto_free char *text = build_artifact_format(&pushing->artifact);
        if (!text || strlen(text) > REGISTRY_MANIFEST_MAX)
                return fail(err, ERR_SYSTEM, 0, "it has too many files for a registry");
        digest_bytes("sha256", text, strlen(text), hex);
        auto_free char *digest = xasprintf("sha256:%s", hex);
        pushing->blobs = build_artifact_contents(&pushing->artifact, &pushing->blob_count);
        if (!push_contents(pushing, err) || !push_manifests(pushing, text, digest, err))
                return false;
        take_push_result(pushing, digest, ret);
        return true;
}

static bool check_before_push(const struct build_push_options *options, struct err *err) {
        const struct verify_options verify = { .build = options->build, .jobs = options->jobs };
        auto_free char *summary = NULL;
        return verify_build(&verify, &summary, err);
}

// <out>/<cluster>/partial/<build id>
static bool is_below_partial(const char *path) {
        auto_free char *above = realpath(path, NULL);
        char *slash = above ? strrchr(above, '/') : NULL;
        if (!slash)
                return false;
        *slash = '\0';
        slash = strrchr(above, '/');
        return slash && strcmp(slash + 1, PARTIAL_DIR) == 0;
}

bool build_push(struct registry *registry, const struct build_push_options *options, struct build_push_result *ret,
                struct err *err) {
        struct pushing pushing = { .registry = registry, .options = options, .dir = -1 };
        bool ok = check_before_push(options, err) && fs_open_dir(AT_FDCWD, options->build, &pushing.dir, err) &&
                  build_artifact_read(pushing.dir, is_below_partial(options->build), &pushing.artifact, err) &&
                  push_described(&pushing, ret, err);
        build_artifact_release(&pushing.artifact);
        free(pushing.blobs);
        close_cleanup(&pushing.dir);
        return ok || wrap(err, "pushing %s", options->build);
}
