// SPDX-License-Identifier: MIT
#include "selection/lock_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"

enum { LOCK_MAX_BYTES = 64 << 20 };

const char *lock_file_path(struct arena *arena, const struct cluster *cluster) {
        const char *name = cluster->path;
        const char *slash = strrchr(cluster->path, '/');
        if (slash)
                name = slash + 1;
        int length = (int)strlen(cluster->path);
        const char *dot = strrchr(name, '.');
        bool has_suffix = dot && (dot > name || !slash);
        if (has_suffix)
                length = (int)(dot - cluster->path);
        return arena_printf(arena, "%.*s.%s.lock", length, cluster->path, cluster->release.name);
}

void lock_file_release(struct lock_file *lock) {
        for (size_t i = 0; i < lock->count; i++)
                free(lock->users[i].items);
        free(lock->users);
        free(lock->packages);
        free(lock->roles.items);
        arena_release(&lock->arena);
        *lock = (struct lock_file){ 0 };
}

void lock_file_free(struct lock_file *lock) {
        if (lock)
                lock_file_release(lock);
        free(lock);
}

bool lock_file_has_role(const struct lock_file *lock, const char *role) { return strings_have(&lock->roles, role); }

bool lock_file_takes(const struct lock_file *lock, size_t package, const char *user) {
        assert(package < lock->count);
        const struct strings *users = &lock->users[package];
        if (strings_have(users, user))
                return true;
        return lock_file_has_role(lock, user) && strings_have(users, LOCK_ALL);
}

// ---- writing ----

static const char comment[] =
    "# Written by kiln lock, obeyed by kiln build. One line a package: NEVRA, repository, size in\n"
    "# bytes, digest, and who takes it (@all: every role, @base: the base layer).\n";

static void append_users(struct buf *text, const struct strings *users) {
        const char *separator = "";
        for (size_t i = 0; i < users->count; i++) {
                buf_printf(text, "%s%s", separator, users->items[i]);
                separator = ",";
        }
}

char *lock_file_format(const struct lock_file *lock) {
        struct buf text = { .max = LOCK_MAX_BYTES };
        buf_printf(&text, "%skiln-lock %d\ncluster %s\nrelease %s sha256:%s\nprofile sha256:%s\nroles", comment,
                   LOCK_FORMAT, lock->cluster, lock->release, lock->release_hash, lock->profile_hash);
        for (size_t i = 0; i < lock->roles.count; i++)
                buf_printf(&text, " %s", lock->roles.items[i]);
        buf_append_text(&text, "\n\n");
        for (size_t i = 0; i < lock->count; i++) {
                const struct locked_package *package = &lock->packages[i];
                buf_printf(&text, "%s %s %llu %s:%s ", package->nevra, package->repository,
                           (unsigned long long)package->size_bytes, package->checksum_type, package->checksum);
                append_users(&text, &lock->users[i]);
                buf_append_char(&text, '\n');
        }
        return buf_take(&text);
}

// ---- hashes ----

static void digest_line(struct digest *digest, const char *key, const char *value) {
        digest_update(digest, key, strlen(key) + 1);
        digest_update(digest, value, strlen(value) + 1);
}

static void digest_list(struct digest *digest, const char *key, const struct strings *list) {
        for (size_t i = 0; i < list->count; i++)
                digest_line(digest, key, list->items[i]);
}

static void finish_lock_hash(struct digest *digest, char ret_hex[static LOCK_HEX_SIZE]) {
        char hex[DIGEST_HEX_SIZE];
        digest_final(digest, hex);
        memcpy(ret_hex, hex, LOCK_HEX_SIZE);
}

void lock_hash_release(const struct release *release, char ret_hex[static LOCK_HEX_SIZE]) {
        struct digest *digest = digest_new("sha256");
        digest_line(digest, "arch", release->arch);
        digest_list(digest, "excludes", &release->excludes);
        digest_list(digest, "module", &release->modules);
        if (release->install_weak_deps)
                digest_line(digest, "install_weak_deps", "true");
        for (size_t i = 0; i < release->repository_count; i++) {
                const struct repository *repository = &release->repositories[i];
                auto_free char *priority = xasprintf("%d", repository->priority);
                digest_line(digest, "repository", repository->name);
                digest_line(digest, "priority", priority);
                digest_list(digest, "excludes", &repository->excludes);
                digest_list(digest, "includes", &repository->includes);
        }
        finish_lock_hash(digest, ret_hex);
}

void lock_hash_profile(const struct cluster *cluster, char ret_hex[static LOCK_HEX_SIZE]) {
        struct digest *digest = digest_new("sha256");
        digest_line(digest, "kernel", cluster->release.kernel_package);
        digest_list(digest, "bootloader", &cluster->release.bootloader.packages);
        for (size_t i = 0; i < cluster->role_count; i++) {
                digest_line(digest, "role", cluster->roles[i].name);
                digest_list(digest, "package", &cluster->roles[i].packages);
        }
        finish_lock_hash(digest, ret_hex);
}
