// SPDX-License-Identifier: MIT
// --remote and what belongs to it.
#ifndef KILN_VERBS_SHARED_CACHE_H
#define KILN_VERBS_SHARED_CACHE_H

#include <stdint.h>

#include "base/err.h"
#include "remote/remote.h"
#include "verbs/options.h"

// How long a verb that has done its work waits for uploads.
enum { UPLOAD_WAIT_MS = 1000 };

struct shared_cache {
        struct signer *signer;
        struct remote *remote; // NULL: none was named, or --offline forbids it
};

// To be opened before a user namespace is entered, in which keys may not be readable.
must_check bool shared_cache_open(const struct options *options, struct shared_cache *ret, struct err *err);
// remote_close()
bool shared_cache_close(struct shared_cache *shared, int64_t wait_ms);

#endif
