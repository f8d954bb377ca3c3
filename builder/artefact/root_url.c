// SPDX-License-Identifier: MIT
#include "artefact/root_url.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

static bool is_registry(const char *base, size_t length) {
        static const char end[] = "/blobs";
        return strstr(base, "/v2/") && length >= strlen(end) &&
               memcmp(base + length - strlen(end), end, strlen(end)) == 0;
}

char *root_url(const struct artefact_build *build, const struct artefact_role *role, const char *base) {
        assert(role->root_sha256[0]);
        size_t length = strlen(base);
        while (length > 0 && base[length - 1] == '/')
                length--;
        if (is_registry(base, length))
                return xasprintf("%.*s/sha256:%s", (int)length, base, role->root_sha256);
        if (role_fetches_root(role->role))
                return xasprintf("%.*s/blobs/sha256/%s", (int)length, base, role->root_sha256);
        return xasprintf("%.*s/%s/%s/rootfs.squashfs", (int)length, base, build->build_id, role->role->name);
}

bool root_url_check(const struct cluster *cluster, const char *http_base, struct err *err) {
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                if (!role->selected || !role_fetches_root(role))
                        continue;
                if (!http_base) {
                        fail(err, ERR_CLUSTER, 0,
                             "role %s: its nodes keep their root (state_disk.root_cache), and nothing says where they "
                             "fetch it from",
                             role->name);
                        return hint(err, "give `http_base: http://HOST` in the cluster file or --http-base URL");
                }
                if (strncmp(http_base, "http://", strlen("http://")) != 0) {
                        fail(err, ERR_CLUSTER, 0,
                             "role %s: its nodes keep their root (state_disk.root_cache), and cannot fetch it from %s",
                             role->name, http_base);
                        return hint(err, "the initrd speaks http:// only: what it fetches is known by its digest; give "
                                         "the URL of the same tree by http://");
                }
        }
        return true;
}
