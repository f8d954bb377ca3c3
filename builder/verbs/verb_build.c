// SPDX-License-Identifier: MIT
// kiln build.
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/locations.h"
#include "base/mem.h"
#include "base/progress.h"
#include "build/build.h"
#include "cache/cache_trim.h"
#include "release/build_list.h"
#include "report/build_report.h"
#include "shared/signed_layer.h"
#include "signing/signing.h"
#include "verbs/shared_cache.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"
#include "verify/verify.h"

enum { CACHE_LIMIT_GB = 30 };

// ---- what `kiln verify` will ask about the build ----

// A release's name stays a name; the path of a release file must hold from anywhere.
static const char *origin_release(struct arena *arena, const char *release) {
        bool is_path = release && (strchr(release, '/') || strstr(release, ".yaml"));
        if (!is_path)
                return release;
        return locations_absolute(arena, release);
}

// "NAME=PATH", where the path may be relative, with an absolute one; "NAME=URL" as it is.
static const char *origin_repository(struct arena *arena, const char *given) {
        const char *equals = strchr(given, '=');
        if (!equals || strstr(equals, "://"))
                return given;
        const char *path = equals + 1;
        return arena_printf(arena, "%.*s%s", (int)(path - given), given, locations_absolute(arena, path));
}

static char *origin_text(struct arena *arena, const struct options *options) {
        size_t count = options->repositories.count;
        const char **repositories = arena_alloc(arena, (count + 1) * sizeof *repositories);
        for (size_t i = 0; i < count; i++)
                repositories[i] = origin_repository(arena, options->repositories.items[i]);
        struct build_origin origin = {
                .cluster = locations_absolute(arena, options->arguments[0]),
                .cache = options_cache_dir(arena, options),
                .release = origin_release(arena, options->release),
                .repositories = repositories,
                .allow_outside = options_outside(arena, options),
        };
        if (options->uki_stub)
                origin.uki_stub = locations_absolute(arena, options->uki_stub);
        return build_origin_format(&origin);
}

// ---- the build ----

// What was built is published: a cache that stays too large is no failure.
static void trim_cache(const struct options *options, const char *cache) {
        auto_err err = { 0 };
        uint64_t limit_gb = number_or(options->cache_limit, CACHE_LIMIT_GB);
        if (!cache_trim(cache, limit_gb * 1000000000, &err))
                warning("trimming the cache %s: %s", cache, err.text);
}

static bool read_build_serial(const char *text, uint64_t *ret, struct err *err) {
        char *end = NULL;
        if (!text)
                return true;
        errno = 0;
        unsigned long long serial = strtoull(text, &end, 10);
        bool is_number = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
        if (!is_number || serial > SERIAL_MAX)
                return fail(err, ERR_USAGE, 0, "--serial %s: a number up to %ld is needed", text, SERIAL_MAX);
        *ret = serial;
        return true;
}

// What was built is published: a page that cannot be written is no failure. One that is there tells of the run that
// made the build.
static void report_build(const struct build_options *build, const char *cluster, const struct build_result *result,
                         const json_t *notes) {
        struct build_list list = { 0 };
        const struct listed_build *listed = NULL;
        auto_err err = { 0 };
        auto_free char *id = xstrdup(strrchr(result->path, '/') + 1), *path = NULL;
        auto_free char *name = report_name(id);
        auto_free char *there = xasprintf("%.*s%s", (int)(strlen(result->path) - strlen(id)), result->path, name);
        auto_free char *manifest = xasprintf("%s/manifest.json", result->path);
        bool has_manifest = access(manifest, F_OK) == 0; // a part need not have it
        if (!has_manifest || (!result->is_new && access(there, F_OK) == 0))
                return;
        if (!result->is_new)
                notes = NULL;
        bool ok = build_list_read(build->out, cluster, &list, &err) &&
                  build_list_find(&list, result->path, &listed, &err) &&
                  report_keep(build->out, &list, listed, notes, &path, &err);
        build_list_release(&list);
        if (ok)
                notice("report: %s", path);
        else
                warning("the build has no report: %s", err.text);
}

static void tell_result(const struct build_result *result) {
        if (result->is_partial)
                notice("a part of the roles or artefacts, which `current` never names:");
        if (result->is_new)
                notice("published:");
        else
                notice("nothing has changed; the build is already there:");
}

static bool print_result(const struct options *options, const struct cluster *cluster,
                         const struct build_result *result, struct err *err) {
        const char *id = strrchr(result->path, '/') + 1;
        if (options->json)
                return answer_give(json_pack("{ss ss ss sb sb}", "path", result->path, "cluster", cluster->name,
                                             "build", id, "new", result->is_new, "partial", result->is_partial),
                                   err);
        puts(result->path);
        return true;
}

// NULL where none is given.
static bool open_secure_boot(const struct options *options, struct cluster *cluster, struct secure_boot_key **ret,
                             struct err *err) {
        const char *key = options->secure_boot_key, *certificate = options->secure_boot_cert;
        const char *stub = artefacts_uki_stub(cluster, &options->only, options->uki_stub);
        if (!key && !certificate) {
                if (stub)
                        notice("%s is not signed for Secure Boot (--secure-boot-key)", UKI_NAME);
                return true;
        }
        if (!key || !certificate)
                return fail(err, ERR_USAGE, 0, "--secure-boot-key and --secure-boot-cert belong together");
        if (!stub) {
                fail(err, ERR_USAGE, 0, "--secure-boot-key: this build makes no %s, which it could sign", UKI_NAME);
                return hint(err, "say secure_boot: own in %s, or --only uki", cluster->path);
        }
        return secure_boot_open(key, certificate, ret, err) || wrap(err, "--secure-boot-key");
}

struct signers {
        struct signer *signer;
        struct secure_boot_key *secure_boot;
        struct shared_cache shared;
};

static bool check_http_base_option(const char *url, struct err *err) {
        regex_t pattern;
        if (!url)
                return true;
        if (regcomp(&pattern, HTTP_BASE_PATTERN, REG_EXTENDED | REG_NOSUB) != 0)
                return fail(err, ERR_INTERNAL, 0, "the pattern of --http-base is none");
        bool matches = regexec(&pattern, url, 0, NULL, 0) == 0;
        regfree(&pattern);
        if (matches)
                return true;
        fail(err, ERR_USAGE, 0, "--http-base %s: it must be " HTTP_BASE_MEANS, url);
        if (*url == '/' || strstr(url, "://"))
                return false;
        return hint(err, "did you mean http://%s?", url);
}

static const char *http_base_of(const struct options *options, const struct cluster *cluster) {
        if (options->http_base)
                return options->http_base;
        return cluster->http_base;
}

static bool build_with_signers(const struct options *options, struct cluster *cluster, const struct signers *signers,
                               struct arena *arena, struct err *err) {
        uint64_t serial = 0;
        if (!read_build_serial(options->build_serial, &serial, err) || !check_http_base_option(options->http_base, err))
                return false;
        struct lock_file *lock = NULL;
        if (!options_read_lock(options, cluster, &lock, err))
                return false;
        auto_free char *origin = origin_text(arena, options);
        struct build_options build = {
                .out = locations_absolute(arena, options_out_dir(options)),
                .cache = options_cache_dir(arena, options),
                .http_base = http_base_of(options, cluster),
                .source_date_epoch = getenv("SOURCE_DATE_EPOCH"),
                .repositories = options_repositories(arena, options),
                .only = &options->only,
                .lock = lock,
                .origin = origin,
                .signer = signers->signer,
                .remote = signers->shared.remote,
                .secure_boot = signers->secure_boot,
                .uki_stub = options->uki_stub,
                .serial = serial,
                .offline = options->offline,
                .allow_downgrade = options->allow_downgrade,
                .jobs = processor_count(),
        };
        struct build_result result = { 0 };
        bool ok = build_cluster(cluster, &build, &result, err);
        json_t *notes = report_notes_end();
        lock_file_free(lock);
        if (ok)
                report_build(&build, cluster->name, &result, notes);
        json_decref(notes);
        if (!ok)
                return false;
        tell_result(&result);
        ok = print_result(options, cluster, &result, err);
        fflush(stdout); // whoever reads it need not wait for uploads
        free(result.path);
        trim_cache(options, build.cache);
        return ok;
}

static bool build_loaded(const struct options *options, struct cluster *cluster, struct arena *arena, struct err *err) {
        struct signers signers = { 0 };
        bool is_signed = options->sign && *options->sign; // --sign= takes back what kiln.yaml says
        if (is_signed && !signer_open(options->sign, &signers.signer, err))
                return wrap(err, "--sign");
        bool ok = open_secure_boot(options, cluster, &signers.secure_boot, err) &&
                  shared_cache_open(options, &signers.shared, err) &&
                  build_with_signers(options, cluster, &signers, arena, err);
        int64_t wait_ms = 0;
        if (ok)
                wait_ms = UPLOAD_WAIT_MS;
        (void)shared_cache_close(&signers.shared, wait_ms);
        secure_boot_free(signers.secure_boot);
        signer_free(signers.signer);
        return ok;
}

bool verb_build(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        struct arena arena = { 0 };
        bool ok = options_load_cluster(options, &cluster, err);
        if (ok) {
                report_notes_begin(options_out_dir(options), cluster->name);
                show_warnings(cluster);
        }
        ok = ok && build_loaded(options, cluster, &arena, err);
        cluster_free(cluster);
        arena_release(&arena);
        return ok;
}
