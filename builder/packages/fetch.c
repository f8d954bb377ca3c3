#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "packages/internal.h"

enum { THREADS = 4 };

// One package on its way to a verified file.
struct item {
        struct package *package;
        struct source *source;
        const struct keyring *keyring; // NULL: its digest is enough
        const char *path;              // where it lies, or will lie
        const char *cached;            // its place in the cache
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

// A package of a file:// repository is used where it lies; any other has its place in the cache.
static void find_place(struct packages *packages, struct item *item) {
        struct arena *arena = &packages->arena;
        item->cached = arena_printf(arena, "%s/packages/%s.rpm", packages->options.cache, item->package->checksum);
        item->path = item->cached;
        item->lies_there = fs_exists(AT_FDCWD, item->path);
        for (size_t i = 0; i < item->source->urls.count; i++) {
                auto_free char *url = url_join(item->source->urls.items[i], item->package->location);
                auto_free char *local = url_local_path(url);
                if (!local) {
                        *array_append(&item->urls.items, &item->urls.count) = arena_strdup(arena, url);
                } else if (!item->local && access(local, F_OK) == 0) {
                        // The sandbox follows no links to other places; nor may one point elsewhere by then.
                        auto_free char *real = realpath(local, NULL);
                        item->local = arena_strdup(arena, real ? real : local);
                }
        }
        if (!item->lies_there && item->local) {
                item->path = item->local;
                item->lies_there = true;
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
                fail(err, ERR_NETWORK, 0, "%s: repository %s lacks the file %s", item->package->nevra, repository, url);
        } else {
                fail(err, ERR_NETWORK, 0, "%s is not in the cache %s, and --offline forbids to fetch it",
                     item->package->nevra, fetch->packages->options.cache);
        }
        return hint(err, "use a complete copy with --repo %s=URL", repository);
}

// A damaged file in someone's repository is a reason to stop.
static bool check_file(struct item *item, struct err *err) {
        if (package_verify(item->package, item->path, item->keyring, item->digest_known, err)) {
                item->checked = true;
                return true;
        }
        if ((err->kind == ERR_CHECKSUM || err->kind == ERR_CORRUPT) && !err->hint)
                (void)hint(err, "repair repository %s there, or name a whole copy with --repo %s=URL",
                           item->package->repository->name, item->package->repository->name);
        return false;
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
                if (item->lies_there)
                        continue;
                if (item->urls.count == 0 || fetch->packages->options.offline)
                        return cannot_fetch(fetch, item, err);
                transfers[count++] = item_transfer(item);
        }
        return count == 0 || run_transfers(transfers, count, err);
}

static bool verify_item(size_t index, void *context, struct err *err) {
        struct fetch *fetch = context;
        struct item *item = &fetch->items[index];
        if (item->checked)
                return true;
        item->verified = !item->digest_known && verified_has(fetch->verified, item->policy, item->path);
        return interrupt_check(err) && (item->verified || check_file(item, err));
}

// Cache entries that do not match any more (a disk's fault, or a crash before the data reached it) are removed here,
// once.
static void drop_damaged(struct fetch *fetch) {
        for (size_t i = 0; i < fetch->count; i++) {
                struct item *item = &fetch->items[i];
                bool elsewhere = item->local || (item->urls.count > 0 && !fetch->packages->options.offline);
                if (!item->lies_there || item->path != item->cached || !elsewhere ||
                    verified_has(fetch->verified, item->policy, item->path))
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
                item->path = item->local ? item->local : item->cached;
                item->lies_there = item->local != NULL;
        }
}

// A verified package of a repository of this machine gets a copy in the cache.
static bool keep_item(struct fetch *fetch, struct item *item, struct err *err) {
        if (!fetch->packages->options.keep || item->path == item->cached)
                return true;
        if (!fs_mkdirs_for(AT_FDCWD, item->cached, 0755, err) || !file_copy(item->path, item->cached, err))
                return wrap(err, "%s", item->package->nevra);
        item->path = item->cached;
        item->verified = false; // under this name
        return true;
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
                if (!interrupt_check(err) || !keep_item(fetch, item, err))
                        return false;
                item->package->path = item->path;
                if (!item->verified)
                        verified_add(fetch->verified, item->policy, item->path);
        }
        return true;
}

bool packages_fetch(struct packages *packages, struct package_set *set, struct err *err) {
        struct fetch fetch = { .packages = packages, .items = xcalloc(set->count + 1, sizeof(struct item)) };
        fetch.verified = verified_load(packages->options.cache);
        bool ok = fetch_all(&fetch, set, err);
        for (size_t i = 0; i < fetch.count; i++)
                free(fetch.items[i].urls.items);
        free(fetch.items);
        verified_save_and_free(fetch.verified);
        return ok;
}
