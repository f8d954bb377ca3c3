// SPDX-License-Identifier: MIT
// kiln push and kiln pull.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "registry/registry.h"
#include "release/build_list.h"
#include "release/build_pull.h"
#include "release/build_push.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

enum { MEGABYTE = 1000000 };

static const char usual_tag[] = "latest"; // as with other tools

static bool open_registry(const struct options *options, const struct oci_reference *reference, struct registry **ret,
                          struct err *err) {
        const struct registry_options registry = { .reference = reference, .plain_http = options->plain_http };
        return registry_open(&registry, ret, err);
}

static char *pinned_name(const struct oci_reference *reference, const char *digest) {
        return xasprintf(OCI_SCHEME "%s/%s@%s", reference->authority, reference->repository, digest);
}

// ---- kiln push ----

// A path of a build that is there, or one of the output directory: by default what `current` names.
static bool find_pushed_build(const struct options *options, char **ret, struct err *err) {
        const struct listed_build *build = NULL;
        struct build_list list = { 0 };
        const char *name = "current", *out = options_out_dir(options);
        if (options->argument_count > 1)
                name = options->arguments[1];
        auto_free char *resolved = realpath(name, NULL);
        if (resolved && strchr(name, '/')) {
                *ret = take_ptr(resolved);
                return true;
        }
        if (!build_list_read(out, NULL, &list, err))
                return false;
        bool ok = build_list_find(&list, name, &build, err);
        if (ok)
                *ret = listed_build_path(out, build);
        build_list_release(&list);
        return ok;
}

static bool check_mounts(const struct options *options, struct err *err) {
        for (size_t i = 0; i < options->mounts.count; i++)
                if (!oci_is_repository(options->mounts.items[i]))
                        return fail(err, ERR_USAGE, 0, "--mount %s: that is no repository, as in team/images",
                                    options->mounts.items[i]);
        return true;
}

static bool give_push_answer(const struct options *options, const struct oci_reference *reference,
                             const struct build_push_result *result, struct err *err) {
        auto_free char *pinned = pinned_name(reference, result->digest);
        const char *what = "sent";
        if (options->dry_run)
                what = "would be sent";
        notice("build %s of %s: %zu files, %zu contents of %.1f MB; %zu of %.1f MB %s, %zu mounted", result->build,
               result->cluster, result->files, result->blobs, (double)result->bytes / MEGABYTE, result->sent,
               (double)result->sent_bytes / MEGABYTE, what, result->mounted);
        if (!options->json)
                return puts(pinned) >= 0;
        return answer_give(json_pack("{ss ss ss ss ss sI sI sI sI sI sI}", "reference", pinned, "digest",
                                     result->digest, "tag", text_or(reference->tag, usual_tag), "build", result->build,
                                     "cluster", result->cluster, "files", (json_int_t)result->files, "contents",
                                     (json_int_t)result->blobs, "bytes", (json_int_t)result->bytes, "sent",
                                     (json_int_t)result->sent, "sent_bytes", (json_int_t)result->sent_bytes, "mounted",
                                     (json_int_t)result->mounted),
                           err);
}

static bool push_to(const struct options *options, const struct oci_reference *reference, struct err *err) {
        struct registry *registry = NULL;
        struct build_push_result result = { 0 };
        auto_free char *build = NULL;
        if (*reference->sha256)
                return fail(err, ERR_USAGE, 0, "%s: a digest is what comes of pushing; name a tag, or nothing",
                            options->arguments[0]);
        if (!check_mounts(options, err) || !find_pushed_build(options, &build, err) ||
            !open_registry(options, reference, &registry, err))
                return false;
        const struct build_push_options push = {
                .build = build,
                .tag = text_or(reference->tag, usual_tag),
                .mounts = &options->mounts,
                .jobs = processor_count(),
                .is_dry = options->dry_run,
        };
        bool ok = build_push(registry, &push, &result, err) && give_push_answer(options, reference, &result, err);
        build_push_result_release(&result);
        registry_close(registry);
        return ok;
}

bool verb_push(const struct options *options, struct err *err) {
        struct oci_reference reference;
        if (!oci_reference_parse(options->arguments[0], &reference, err))
                return false;
        bool ok = push_to(options, &reference, err);
        oci_reference_release(&reference);
        return ok;
}

// ---- kiln pull ----

static void say_pulled(const struct options *options, const struct build_pull_result *result) {
        if (options->dry_run)
                notice("build %s of %s: %zu files; %.1f of %.1f MB would be loaded", result->build, result->cluster,
                       result->files, (double)result->loaded_bytes / MEGABYTE, (double)result->bytes / MEGABYTE);
        else if (result->was_there)
                notice("build %s of %s was there already: %s", result->build, result->cluster, result->summary);
        else
                notice("build %s of %s: %.1f of %.1f MB loaded; %s", result->build, result->cluster,
                       (double)result->loaded_bytes / MEGABYTE, (double)result->bytes / MEGABYTE, result->summary);
}

static bool give_pull_answer(const struct options *options, const struct build_pull_result *result, struct err *err) {
        say_pulled(options, result);
        if (!options->json)
                return puts(result->path) >= 0;
        json_t *answer = json_pack("{ss ss ss ss sb sb sI sI sI}", "path", result->path, "digest", result->digest,
                                   "build", result->build, "cluster", result->cluster, "new", !result->was_there,
                                   "partial", result->is_partial, "files", (json_int_t)result->files, "bytes",
                                   (json_int_t)result->bytes, "loaded_bytes", (json_int_t)result->loaded_bytes);
        if (result->summary)
                (void)!json_object_set_new(answer, "summary", json_string(result->summary));
        return answer_give(answer, err);
}

static bool pull_from(const struct options *options, const struct oci_reference *reference, struct err *err) {
        struct registry *registry = NULL;
        struct build_pull_result result = { 0 };
        auto_free char *name = xstrdup(text_or(reference->tag, usual_tag));
        if (*reference->sha256) {
                free(name);
                name = xasprintf("sha256:%s", reference->sha256);
        }
        if (!open_registry(options, reference, &registry, err))
                return false;
        const struct build_pull_options pull = {
                .out = options_out_dir(options),
                .name = name,
                .shown = options->arguments[0],
                .key_file = options->key,
                .jobs = processor_count(),
                .is_dry = options->dry_run,
        };
        bool ok = build_pull(registry, &pull, &result, err) && give_pull_answer(options, &result, err);
        build_pull_result_release(&result);
        registry_close(registry);
        return ok;
}

bool verb_pull(const struct options *options, struct err *err) {
        struct oci_reference reference;
        if (!oci_reference_parse(options->arguments[0], &reference, err))
                return false;
        bool ok = pull_from(options, &reference, err);
        oci_reference_release(&reference);
        return ok;
}
