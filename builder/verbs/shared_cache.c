// SPDX-License-Identifier: MIT
#include "verbs/shared_cache.h"

static bool check_alone(const char *value, const char *option, struct err *err) {
        return !value || fail(err, ERR_USAGE, 0, "--%s belongs to a shared cache: --remote URL is missing", option);
}

bool shared_cache_open(const struct options *options, struct shared_cache *ret, struct err *err) {
        if (!options->remote)
                return check_alone(options->remote_keys, "remote-keys", err) &&
                       check_alone(options->remote_sign, "remote-sign", err) &&
                       check_alone(options->remote_token_file, "remote-token-file", err);
        if (options->offline)
                return true;
        if (options->remote_sign && !signer_open(options->remote_sign, &ret->signer, err))
                return wrap(err, "--remote-sign");
        const struct remote_options remote = {
                .url = options->remote,
                .token_file = options->remote_token_file,
                .key_file = options->remote_keys,
                .plain_http = options->plain_http,
                .signer = ret->signer,
        };
        return remote_open(&remote, &ret->remote, err);
}

bool shared_cache_close(struct shared_cache *shared, int64_t wait_ms) {
        bool is_all_there = remote_close(shared->remote, wait_ms);
        signer_free(shared->signer);
        *shared = (struct shared_cache){ 0 };
        return is_all_there;
}
