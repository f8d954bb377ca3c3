// SPDX-License-Identifier: MIT
// A cache for a test: open to its end, once for a path.
#ifndef KILN_TESTS_UNIT_OPEN_CACHE_H
#define KILN_TESTS_UNIT_OPEN_CACHE_H

#include "base/mem.h"
#include "cache/cache.h"
#include "tests/unit/test.h"

static inline struct cache *open_cache(const char *path) {
        static struct opened {
                char *path;
                struct cache *cache;
        } * opened;
        static size_t count;
        for (size_t i = 0; i < count; i++)
                if (strcmp(opened[i].path, path) == 0)
                        return opened[i].cache;
        struct opened *new = array_append(&opened, &count);
        new->path = xstrdup(path);
        EXPECT_OK(cache_open(path, &new->cache, err));
        return new->cache;
}

#endif
