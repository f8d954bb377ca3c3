// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "packages/fetch/partial.h"
#include "packages/fetch/transfer.h"
#include "packages/fetch/url.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/pool.h"
#include "packages/trust/keyring.h"
#include "packages/trust/package_verify.h"
#include "packages/trust/verified.h"
#include "profile/profile.h"

enum { THREADS = 4 };

// One package on its way to a verified file.
struct item {
        struct package *package;
        struct source *source;
        const struct keyring *keyring; // NULL: its digest is enough
        const char *path;              // its place in the cache
        const char *local;             // in a repository of this machine; NULL: in none
        char policy[DIGEST_HEX_SIZE];
        struct strings urls;
        bool lies_there, digest_known, checked;
        bool verified; // by an earlier kiln, which noted it
};

struct fetch {
        struct packages *packages;
        struct item *items;
        size_t count;
        struct verified *verified;
};

static struct source *source_of(struct packages *packages, const struct repository *repository) {
        for (size_t i = 0; i < packages->source_count; i++)
                if (packages->sources[i].repository == repository)
                        return &packages->sources[i];
        return NULL;
}

static void make_policy(struct item *item) {
        const struct package *package = item->package;
        struct digest *digest = digest_new("sha256");
        digest_update(digest, package->checksum, strlen(package->checksum) + 1);
        digest_update(digest, package->nevra, strlen(package->nevra) + 1);
        const char *keys = item->keyring ? keyring_identity(item->keyring) : "digest";
        digest_update(digest, keys, strlen(keys) + 1);
        digest_final(digest, item->policy);
}

static void find_place(struct packages *packages, struct item *item) {
        struct arena *arena = &packages->arena;
        auto_free char *name = xasprintf("%s.rpm", item->package->checksum);
        auto_free char *path = cache_entry(packages->options.cache, CACHE_PACKAGES, name);
        item->path = arena_strdup(arena, path);
        item->lies_there = fs_exists(AT_FDCWD, item->path);
        for (size_t i = 0; i < item->source->urls.count; i++) {
                const char *base = item->source->urls.items[i];
                auto_free char *local = url_local_file(base, item->package->location);
                auto_free char *url = url_join(base, item->package->location);
                if (!local)
                        *array_append(&item->urls.items, &item->urls.count) = arena_strdup(arena, url);
                else if (!item->local && access(local, F_OK) == 0)
                        item->local = arena_strdup(arena, local);
        }
}

static bool prepare_item(struct fetch *fetch, struct package *package, struct item *item, struct err *err) {
        item->package = package;
        item->source = source_of(fetch->packages, package->repository);
        if (!item->source)
                return fail(err, ERR_INTERNAL, 0, "%s comes from an unknown repository", package->nevra);
        if (package->repository->trust == TRUST_SIGNATURE && !source_keys(item->source, &item->keyring, err))
                return false;
        make_policy(item);
        find_place(fetch->packages, item);
        return true;
}

static bool cannot_fetch(const struct fetch *fetch, const struct item *item, struct err *err) {
        const char *repository = item->package->repository->name;
        if (item->urls.count == 0) {
                auto_free char *url = url_join(item->source->urls.items[0], item->package->location);
                auto_free char *shown = url_shown(url);
                fail(err, ERR_NETWORK, 0, "%s: repository %s lacks the file %s", item->package->nevra, repository,
                     shown);
        } else {
                fail(err, ERR_NETWORK, 0, "%s is not in the cache %s, and --offline forbids to fetch it",
                     item->package->nevra, cache_path(fetch->packages->options.cache));
        }
        return hint(err, "use a complete copy with --repo %s=URL", repository);
}

static bool repair_hint(const struct item *item, struct err *err) {
        if ((err->kind == ERR_CHECKSUM || err->kind == ERR_CORRUPT) && !err->hint)
                (void)hint(err, "repair repository %s there, or name a whole copy with --repo %s=URL",
                           item->package->repository->name, item->package->repository->name);
        return false;
}

static bool check_file(struct item *item, struct err *err) {
        item->checked = package_verify(item->package, item->path, item->keyring, item->digest_known, err);
        return item->checked || repair_hint(item, err);
}

// On a thread of the transfers, while others go on. The digest was computed as the bytes came in.
static bool check_arrived(void *context, struct err *err) {
        struct item *item = context;
        item->digest_known = true;
        return check_file(item, err);
}

static struct transfer item_transfer(struct item *item) {
        return (struct transfer){
                .name = item->package->nevra,
                .urls = item->urls.items,
                .url_count = item->urls.count,
                .path = item->path,
                .checksum_type = item->package->checksum_type,
                .checksum = item->package->checksum,
                .size_bytes = item->package->size_bytes,
                .arrived = check_arrived,
                .context = item,
        };
}

static int largest_first(const void *left, const void *right) {
        const struct transfer *a = left, *b = right;
        return a->size_bytes == b->size_bytes ? strcmp(a->name, b->name) : a->size_bytes < b->size_bytes ? 1 : -1;
}

static bool run_transfers(struct transfer *transfers, size_t count, struct err *err) {
        struct progress progress;
        uint64_t bytes = 0;
        for (size_t i = 0; i < count; i++)
                bytes += transfers[i].size_bytes;
        qsort(transfers, count, sizeof *transfers, largest_first); // no long one is left alone at the end
        progress_begin(&progress, "download", "bytes", bytes);
        bool ok = transfers_run(transfers, count, &progress, err);
        progress_end(&progress);
        return ok ||
               (err->kind == ERR_NETWORK && hint(err, "run it again to go on; --repo NAME=URL names another mirror"));
}

static bool download(struct fetch *fetch, struct err *err) {
        auto_free struct transfer *transfers = xcalloc(fetch->count + 1, sizeof *transfers);
        size_t count = 0;
        for (size_t i = 0; i < fetch->count; i++) {
                struct item *item = &fetch->items[i];
                if (item->lies_there || item->local)
                        continue;
                if (item->urls.count == 0 || fetch->packages->options.offline)
                        return cannot_fetch(fetch, item, err);
                transfers[count++] = item_transfer(item);
        }
        return count == 0 || run_transfers(transfers, count, err);
}

// To the end, or as far as a file that grows meanwhile may be of interest.
static bool read_into(struct partial *partial, int from, uint64_t most, struct err *err) {
        enum { BLOCK = 256 << 10 };
        auto_free char *block = xmalloc(BLOCK);
        while (partial->size <= most) {
                ssize_t got = read(from, block, BLOCK);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0)
                        return true;
                if (!interrupt_check(err) || !partial_append(partial, block, (size_t)got, err))
                        return false;
        }
        return true;
}

static bool copy_into(struct partial *partial, const struct item *item, int from, struct err *err) {
        const struct package *package = item->package;
        uint64_t most = package->size_bytes ? package->size_bytes : UINT64_MAX - 1;
        char hex[DIGEST_HEX_SIZE];
        if (!partial_restart(partial, err) || !read_into(partial, from, most, err) ||
            !partial_digest(partial, hex, err))
                return wrap(err, "%s (%s to %s)", package->nevra, item->local, item->path);
        return package_check_size(package, partial->size, item->local, err) &&
               package_check_digest(package, hex, item->local, err) && partial_publish(partial, err);
}

// A package of a repository on this machine is copied and the copy checked: somebody may write to the repository, but
// what was verified is what is installed.
static bool copy_local(struct item *item, struct err *err) {
        struct transfer transfer = item_transfer(item);
        struct partial partial;
        auto_close int from = -1;
        if (!fs_open(AT_FDCWD, item->local, O_RDONLY, 0, &from, err))
                return wrap(err, "%s", item->package->nevra);
        bool ok = partial_open(&partial, &transfer, err) && copy_into(&partial, item, from, err);
        if (!ok)
                partial_forget(&partial);
        partial_close(&partial);
        item->lies_there = item->digest_known = ok;
        return ok;
}

static bool verify_item(size_t index, void *context, struct err *err) {
        struct fetch *fetch = context;
        struct item *item = &fetch->items[index];
        if (item->checked)
                return true;
        if (!item->lies_there && !copy_local(item, err))
                return repair_hint(item, err);
        item->verified = !item->digest_known && verified_has(fetch->verified, item->policy, item->path);
        return interrupt_check(err) && (item->verified || check_file(item, err));
}

// Cache entries that do not match any more (a disk's fault, or a crash before the data reached it) are removed here,
// once.
static void drop_damaged(struct fetch *fetch) {
        for (size_t i = 0; i < fetch->count; i++) {
                struct item *item = &fetch->items[i];
                bool elsewhere = item->local || (item->urls.count > 0 && !fetch->packages->options.offline);
                if (!item->lies_there || !elsewhere || verified_has(fetch->verified, item->policy, item->path))
                        continue;
                char hex[DIGEST_HEX_SIZE];
                auto_err ignored = { 0 };
                if (digest_file(item->package->checksum_type, AT_FDCWD, item->path, hex, &ignored) &&
                    strcmp(hex, item->package->checksum) == 0) {
                        item->digest_known = true;
                        continue;
                }
                warning("%s in the cache is damaged and fetched again", item->package->nevra);
                unlink(item->path);
                item->lies_there = false;
        }
}

static bool fetch_all(struct fetch *fetch, struct package_set *set, struct err *err) {
        for (size_t i = 0; i < set->count; i++) {
                fetch->count++;
                if (!prepare_item(fetch, &set->items[i], &fetch->items[i], err))
                        return false;
        }
        drop_damaged(fetch);
        if (!download(fetch, err) || !parallel_for(fetch->count, THREADS, verify_item, fetch, err))
                return false;
        for (size_t i = 0; i < fetch->count; i++) {
                struct item *item = &fetch->items[i];
                item->package->path = item->path;
                if (!item->verified)
                        verified_add(fetch->verified, item->policy, item->path);
        }
        return true;
}

static void sweep(const struct packages *packages) {
        auto_free char *path = cache_kind_path(packages->options.cache, CACHE_PACKAGES);
        partial_sweep(path);
}

bool packages_fetch(struct packages *packages, struct package_set *set, struct err *err) {
        struct fetch fetch = { .packages = packages, .items = xcalloc(set->count + 1, sizeof(struct item)) };
        fetch.verified = verified_load(packages->options.cache);
        bool ok = fetch_all(&fetch, set, err);
        for (size_t i = 0; i < fetch.count; i++)
                free(fetch.items[i].urls.items);
        free(fetch.items);
        verified_save_and_free(fetch.verified);
        if (ok)
                sweep(packages);
        return ok;
}
