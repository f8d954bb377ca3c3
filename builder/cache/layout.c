// SPDX-License-Identifier: MIT
#include "cache/layout.h"

#include <assert.h>

#include "base/mem.h"

const struct cache_kind_facts cache_kinds[CACHE_KIND_COUNT] = {
        [CACHE_PACKAGES] = { "packages", "downloaded packages", 0755, .downloaded = true },
        // Closed to other users: what packages install setuid, and a scriptlet's own set-id copy of a shell, belongs to
        // whoever runs kiln. Nobody else must be able to start it from here.
        [CACHE_LAYERS] = { "layers", "installed packages", 0700 },
        [CACHE_SQUASHFS] = { "squashfs", "packed roots", 0755 },
        [CACHE_KERNEL] = { "kernel", "kernels", 0755 },
        [CACHE_INITRD] = { "initrd", "initial ramdisks", 0755 },
        [CACHE_ISO] = { "iso", "ISOs without their roots", 0755 },
        [CACHE_BOOTLOADER] = { "bootloader", "unpacked boot loaders", 0755 },
        [CACHE_REPOS] = { "repos", "repositories' metadata", 0755, .downloaded = true, .in_parts = true,
                          .refreshed = true },
        [CACHE_KEYS] = { "keys", "repositories' keys", 0755, .downloaded = true, .refreshed = true },
};

static const char *const places[] = {
        [CACHE_LOCK] = "lock",           [CACHE_USED] = "used",
        [CACHE_USED_LOCK] = "used.lock", [CACHE_TRIMMED] = "trimmed",
        [CACHE_VERIFIED] = "verified",   [CACHE_MOUNTS] = "mounts",
        [CACHE_SCRATCH] = "verify",      [CACHE_SCRATCH_LOCK] = "verify.lock",
};

char *layout_place(const char *cache, enum cache_place place) {
        assert(place < lengthof(places));
        return xasprintf("%s/%s", cache, places[place]);
}

char *layout_kind(const char *cache, enum cache_kind kind) {
        assert(kind < CACHE_KIND_COUNT);
        return xasprintf("%s/%s", cache, cache_kinds[kind].name);
}

char *layout_entry(const char *cache, enum cache_kind kind, const char *name) {
        assert(kind < CACHE_KIND_COUNT);
        assert(*name);
        return xasprintf("%s/%s/%s", cache, cache_kinds[kind].name, name);
}
