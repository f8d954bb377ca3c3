// SPDX-License-Identifier: MIT
#include "packages/metadata/authentic.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/progress.h"
#include "packages/fetch/url.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "profile/profile.h"

static bool is_plain_http(const char *url) { return strncasecmp(url, "http://", 7) == 0; }

// What anybody on the way may alter: a mirror or the list of mirrors; NULL: nothing.
static const char *first_plain_url(const struct source *source) {
        const struct repository *repository = source->repository;
        bool replaced = url_replacement(source->options->replace, repository->name) != NULL;
        if (source->metalink_url) { // it vouches for repomd.xml, wherever that comes from
                if (is_plain_http(source->metalink_url))
                        return source->metalink_url;
                return NULL;
        }
        if (!replaced && repository->mirrorlist && is_plain_http(repository->mirrorlist))
                return repository->mirrorlist;
        for (size_t i = 0; i < source->urls.count; i++)
                if (is_plain_http(source->urls.items[i]))
                        return source->urls.items[i];
        return NULL;
}

void authentic_warn(const struct source *source) {
        assert(source->urls.count > 0);
        const struct repository *repository = source->repository;
        const char *url = first_plain_url(source);
        bool vouched_for = repository->check_metadata_signature || source->options->locked;
        if (!url || vouched_for)
                return;
        auto_free char *shown = url_shown(url);
        const char *consequence = "whoever is on the way can hold back updates and choose among signed packages";
        if (repository->trust == TRUST_DIGEST)
                consequence = "with `trust: digest`, whoever is on the way decides what is installed";
        warning("repository %s: nothing authenticates its metadata: it comes by plain HTTP, and no signature of it is "
                "asked for (%s): %s; use https://, `repo_gpgcheck: true`, or a lock file (kiln lock)",
                repository->name, shown, consequence);
}
