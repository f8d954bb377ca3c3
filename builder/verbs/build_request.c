// SPDX-License-Identifier: MIT
#include "verbs/build_request.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/locations.h"
#include "base/progress.h"
#include "shared/signed_layer.h"
#include "signing/signing.h"
#include "verbs/verb_common.h"

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

static bool open_signer(struct build_request *request, const struct options *options, struct err *err) {
        bool is_signed = options->sign && *options->sign; // --sign= takes back what kiln.yaml says
        return !is_signed || signer_open(options->sign, &request->signer, err) || wrap(err, "--sign");
}

bool build_request_load(struct build_request *request, const struct options *options, struct err *err) {
        return options_load_cluster(options, &request->cluster, err);
}

bool build_request_open(struct build_request *request, const struct options *options, struct err *err) {
        struct cluster *cluster = request->cluster;
        struct arena *arena = &request->arena;
        uint64_t serial = 0;
        if (!open_signer(request, options, err) || !open_secure_boot(options, cluster, &request->secure_boot, err) ||
            !read_build_serial(options->build_serial, &serial, err) ||
            !check_http_base_option(options->http_base, err) ||
            !options_read_lock(options, cluster, &request->lock, err))
                return false;
        request->build = (struct build_options){
                .out = locations_absolute(arena, options_out_dir(options)),
                .cache = options_cache_dir(arena, options),
                .http_base = http_base_of(options, cluster),
                .source_date_epoch = getenv("SOURCE_DATE_EPOCH"),
                .repositories = options_repositories(arena, options),
                .only = &options->only,
                .lock = request->lock,
                .signer = request->signer,
                .secure_boot = request->secure_boot,
                .uki_stub = options->uki_stub,
                .serial = serial,
                .offline = options->offline,
                .allow_downgrade = options->allow_downgrade,
                .jobs = processor_count(),
        };
        return true;
}

void build_request_release(struct build_request *request) {
        lock_file_free(request->lock);
        secure_boot_free(request->secure_boot);
        signer_free(request->signer);
        cluster_free(request->cluster);
        arena_release(&request->arena);
}
