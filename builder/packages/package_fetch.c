// SPDX-License-Identifier: MIT
// packages_fetch(): every package of a set becomes a verified file in the cache. What the cache has is checked, what a
// repository of this machine has is copied, the rest is downloaded.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "packages/fetch/file_copy.h"
#include "packages/fetch/partial.h"
#include "packages/fetch/transfer.h"
#include "packages/fetch/url.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/package_describe.h"
#include "packages/solve/pool.h"
#include "packages/trust/keyring.h"
#include "packages/trust/package_verify.h"
#include "packages/trust/verified.h"
#include "profile/profile.h"
#include "remote/remote.h"

enum { THREADS = 4, LACKING_SHOWN = 20, REMOTE_THREADS = 6, REMOTE_TRIES = 16 };
// Metadata may say that a package has no size, or any.
static const uint64_t package_max_bytes = UINT64_C(4) << 30;

// One package on its way to a verified file.
struct fetch_item {
        const struct package *package;
        struct source *source;
        const struct keyring *keyring; // NULL: its digest is enough
        const char *path;              // its place in the cache
        const char *local;             // in a repository of this machine; NULL: in none
        char policy[DIGEST_HEX_SIZE];  // of verified.h
        struct strings urls;           // in the network
        bool cached;                   // there is a file at `path`
        bool digest_known;             // and its digest was seen to be right
        bool checked;                  // and it passed package_verify()
        bool verified_before;          // by an earlier kiln, which noted it
        bool lacking;                  // nobody has it
        bool offered;                  // it did not come from the remote,
        bool missing;                  // which was asked for it, and has none
        struct err failure;            // why package_verify() refused it; empty: it did not
};

struct fetch {
        struct packages *packages;
        struct fetch_item *items;
        size_t count;
        struct verified *verified;
};

static struct source *source_of(struct packages *packages, const struct repository *repository) {
        for (size_t i = 0; i < packages->source_count; i++)
                if (packages->sources[i].repository == repository)
                        return &packages->sources[i];
        return NULL;
}

// Rises when package_verify() demands more than before: what an earlier kiln let pass must be checked again.
#define RULES "3: without a signature, the digests of the package itself"

// A hash of all that the file is checked against: with other keys it must be checked again.
static void make_policy(struct fetch_item *item) {
        const struct package *package = item->package;
        struct digest *digest = digest_new("sha256");
        digest_update(digest, package->checksum, strlen(package->checksum) + 1);
        digest_update(digest, package->nevra, strlen(package->nevra) + 1);
        const char *keys = "digest";
        if (item->keyring)
                keys = keyring_identity(item->keyring);
        digest_update(digest, keys, strlen(keys) + 1);
        digest_update(digest, RULES, sizeof RULES);
        digest_final(digest, item->policy);
}

static void find_package_file(struct packages *packages, struct fetch_item *item) {
        struct arena *arena = &packages->arena;
        auto_free char *name = xasprintf("%s.rpm", item->package->checksum);
        auto_free char *path = cache_entry(packages->options.cache, CACHE_PACKAGES, name);
        item->path = arena_strdup(arena, path);
        item->cached = fs_exists(AT_FDCWD, item->path);
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

static bool prepare_item(struct fetch *fetch, const struct package *package, struct fetch_item *item, struct err *err) {
        item->package = package;
        item->source = source_of(fetch->packages, package->repository);
        if (!item->source)
                return fail(err, ERR_INTERNAL, 0, "%s comes from an unknown repository", package->nevra);
        if (package->repository->trust == TRUST_SIGNATURE && !source_keys(item->source, &item->keyring, err))
                return false;
        make_policy(item);
        find_package_file(fetch->packages, item);
        return true;
}

// Why a package that nothing can be downloaded or copied for is not to be had; heap.
static char *describe_lack(const struct fetch *fetch, const struct fetch_item *item) {
        const char *nevra = item->package->nevra;
        if (item->urls.count > 0 && fetch->packages->options.offline)
                return xasprintf("%s is not in the cache %s, and --offline forbids to fetch it", nevra,
                                 cache_path(fetch->packages->options.cache));
        auto_free char *url = url_join(item->source->urls.items[0], item->package->location);
        auto_free char *shown = url_shown(url);
        return xasprintf("%s: repository %s lacks the file %s", nevra, item->package->repository->name, shown);
}

// All that is lacking, as long as a person reads it.
static bool fail_for_lacking(const struct fetch *fetch, size_t lacking, struct err *err) {
        auto_buf text = { 0 };
        const struct repository *repository = NULL;
        size_t shown = 0;
        for (size_t i = 0; i < fetch->count && shown < LACKING_SHOWN; i++) {
                const struct fetch_item *item = &fetch->items[i];
                if (!item->lacking)
                        continue;
                auto_free char *line = describe_lack(fetch, item);
                if (lacking > 1)
                        buf_append_text(&text, "\n  ");
                buf_append_text(&text, line);
                repository = item->package->repository;
                shown++;
        }
        assert(repository);
        if (lacking > shown)
                buf_printf(&text, "\n  and %zu more", lacking - shown);
        if (lacking == 1)
                fail(err, ERR_NETWORK, 0, "%s", buf_text(&text));
        else
                fail(err, ERR_NETWORK, 0, "%zu packages are not to be had:%s", lacking, buf_text(&text));
        return hint(err, "use a complete copy with --repo %s=URL", repository->name);
}

static void add_repair_hint(const struct fetch_item *item, struct err *err) {
        bool is_damage = err->kind == ERR_CHECKSUM || err->kind == ERR_CORRUPT;
        if (is_damage && !err->hint)
                (void)hint(err, "repair repository %s there, or name a whole copy with --repo %s=URL",
                           item->package->repository->name, item->package->repository->name);
}

// A package that is damaged or wrongly signed is no reason not to look at the others: all of them are told at the end.
static bool note_package_failure(struct fetch_item *item, struct err *err) {
        bool is_own = err->kind == ERR_CHECKSUM || err->kind == ERR_CORRUPT || err->kind == ERR_SIGNATURE;
        add_repair_hint(item, err);
        if (!is_own)
                return false;
        item->failure = take_err(err);
        return true;
}

static bool verify_file(struct fetch_item *item, struct err *err) {
        item->checked = package_verify(item->package, item->path, item->keyring, item->digest_known, err);
        return item->checked || note_package_failure(item, err);
}

// On a thread of the transfers, while others go on. The digest was computed as the bytes came in.
static bool check_arrived(void *context, struct err *err) {
        struct fetch_item *item = context;
        item->digest_known = true;
        return verify_file(item, err);
}

static struct transfer item_transfer(struct fetch_item *item) {
        return (struct transfer){
                .name = item->package->nevra,
                .urls = item->urls.items,
                .url_count = item->urls.count,
                .path = item->path,
                .checksum_type = item->package->checksum_type,
                .checksum = item->package->checksum,
                .size_bytes = item->package->size_bytes,
                .max_bytes = package_max_bytes,
                .missing_ok = true, // all that is missing is told at once
                .arrived = check_arrived,
                .context = item,
        };
}

static int compare_largest_first(const void *left, const void *right) {
        const struct transfer *a = left, *b = right;
        if (a->size_bytes == b->size_bytes)
                return strcmp(a->name, b->name);
        return (a->size_bytes < b->size_bytes) - (a->size_bytes > b->size_bytes);
}

static bool run_transfers(struct transfer *transfers, size_t count, struct err *err) {
        struct progress progress;
        uint64_t bytes = 0;
        for (size_t i = 0; i < count; i++)
                bytes += transfers[i].size_bytes;
        qsort(transfers, count, sizeof *transfers, compare_largest_first); // so that no long one runs alone at the end
        progress_begin(&progress, "download", "bytes", bytes);
        bool ok = transfers_run(transfers, count, &progress, err);
        progress_end(&progress, ok);
        if (!ok && err->kind == ERR_NETWORK)
                hint(err, "run it again to go on; --repo NAME=URL names another mirror");
        return ok;
}

// ---- a cache that several machines share: it has packages by their SHA-256, which is all there is to trust ----

struct remote_load {
        struct remote *remote;
        struct fetch_item **items;
        atomic_size_t missed, loaded;
        struct progress progress;
        int dir; // of packages
};

static uint64_t most_bytes_of(const struct package *package) {
        if (package->size_bytes && package->size_bytes < package_max_bytes)
                return package->size_bytes;
        return package_max_bytes;
}

static bool load_package(size_t index, void *context, struct err *err) {
        struct remote_load *load = context;
        struct fetch_item *item = load->items[index];
        auto_close int fd = -1;
        bool is_found = false;
        // One that lacks most of so many was filled by others' builds, and is not asked for hundreds.
        size_t missed = atomic_load(&load->missed);
        bool is_hopeless = missed >= REMOTE_TRIES && missed > atomic_load(&load->loaded);
        item->offered = true;
        if (is_hopeless)
                return true;
        if (!remote_load_blob(load->remote, item->package->checksum, most_bytes_of(item->package), load->dir, &fd,
                              &is_found, err))
                return false;
        if (!is_found) {
                item->missing = true;
                atomic_fetch_add(&load->missed, 1);
                return true;
        }
        atomic_fetch_add(&load->loaded, 1);
        progress_add(&load->progress, item->package->size_bytes);
        item->offered = false;
        item->cached = file_write_whole(fd, item->path, err);
        item->digest_known = item->cached;
        return item->cached;
}

static bool load_packages(struct fetch *fetch, struct err *err) {
        struct cache *cache = fetch->packages->options.cache;
        struct remote_load load = { .remote = cache_remote(cache), .dir = -1 };
        size_t count = 0;
        if (!load.remote)
                return true;
        load.items = xcalloc(fetch->count + 1, sizeof(struct fetch_item *));
        for (size_t i = 0; i < fetch->count; i++) {
                struct fetch_item *item = &fetch->items[i];
                bool is_known = strcmp(item->package->checksum_type, "sha256") == 0;
                if (is_known && !item->cached && !item->local)
                        load.items[count++] = item;
        }
        bool ok = count == 0 || cache_open_kind(cache, CACHE_PACKAGES, &load.dir, err);
        if (ok && count > 0) {
                progress_begin(&load.progress, "load packages", "bytes", 0);
                ok = parallel_for(count, REMOTE_THREADS, load_package, &load, err);
                progress_end(&load.progress, ok);
        }
        close_cleanup(&load.dir);
        free(load.items);
        return ok;
}

// Those that were downloaded since the remote lacked them, or was not asked, and were found to be good.
static void offer_package(const struct fetch *fetch, const struct fetch_item *item) {
        if (item->offered)
                remote_offer_blob(cache_remote(fetch->packages->options.cache), item->package->checksum, item->path,
                                  item->missing);
}

// What the cache and this machine's repositories lack. `ret_lacking`: how many of these nobody has.
static bool download_missing(struct fetch *fetch, size_t *ret_lacking, struct err *err) {
        auto_free struct transfer *transfers = xcalloc(fetch->count + 1, sizeof *transfers);
        size_t count = 0;
        *ret_lacking = 0;
        for (size_t i = 0; i < fetch->count; i++) {
                struct fetch_item *item = &fetch->items[i];
                if (item->cached || item->local)
                        continue;
                item->lacking = item->urls.count == 0 || fetch->packages->options.offline;
                if (item->lacking)
                        ++*ret_lacking;
                else
                        transfers[count++] = item_transfer(item);
        }
        if (*ret_lacking > 0 || count == 0)
                return true;
        if (!run_transfers(transfers, count, err))
                return false;
        for (size_t i = 0; i < count; i++) {
                struct fetch_item *item = transfers[i].context;
                item->lacking = transfers[i].missing;
                *ret_lacking += item->lacking;
        }
        return true;
}

// Reads to the end of the file, or one block more than `max_bytes`: a file that is too long, or grows while it is
// copied, is refused for its size, so the rest need not be read.
static bool copy_bytes(struct partial *partial, int from, uint64_t max_bytes, struct err *err) {
        enum { BLOCK = 256 << 10 };
        auto_free char *block = xmalloc(BLOCK);
        while (partial->size <= max_bytes) {
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

static bool copy_into(struct partial *partial, const struct fetch_item *item, int from, struct err *err) {
        const struct package *package = item->package;
        uint64_t max_bytes = package_max_bytes;
        char hex[DIGEST_HEX_SIZE];
        if (package->size_bytes && package->size_bytes < max_bytes)
                max_bytes = package->size_bytes;
        if (!partial_restart(partial, err) || !copy_bytes(partial, from, max_bytes, err) ||
            !partial_digest(partial, hex, err))
                return wrap(err, "%s (%s to %s)", package->nevra, item->local, item->path);
        if (partial->size > package_max_bytes)
                return fail(err, ERR_CORRUPT, 0,
                            "%s of repository %s is larger than the %" PRIu64 " bytes that a package may have (%s)",
                            package->nevra, package->repository->name, package_max_bytes, item->local);
        return package_check_size(package, partial->size, item->local, err) &&
               package_check_digest(package, hex, item->local, err) && partial_publish(partial, err);
}

// A package of a repository on this machine is copied and the copy checked: somebody may write to the repository, but
// what was verified is what is installed.
static bool copy_local(struct fetch_item *item, struct err *err) {
        struct transfer transfer = item_transfer(item);
        struct partial partial;
        auto_close int from = -1;
        if (!fs_open_regular(AT_FDCWD, item->local, &from, err))
                return wrap(err, "%s", item->package->nevra);
        bool ok = partial_open(&partial, &transfer, err) && copy_into(&partial, item, from, err);
        if (!ok)
                partial_forget(&partial);
        partial_close(&partial);
        item->cached = ok;
        item->digest_known = ok;
        return ok;
}

static bool verify_item(size_t index, void *context, struct err *err) {
        struct fetch *fetch = context;
        struct fetch_item *item = &fetch->items[index];
        if (item->checked || item->failure.kind)
                return true;
        if (!item->cached && !copy_local(item, err))
                return note_package_failure(item, err);
        item->verified_before = !item->digest_known && verified_has(fetch->verified, item->policy, item->path);
        return interrupt_check(err) && (item->verified_before || verify_file(item, err));
}

static bool cached_digest_is_right(const struct fetch_item *item) {
        char hex[DIGEST_HEX_SIZE];
        auto_err unreadable = { 0 };
        if (!digest_file(item->package->checksum_type, AT_FDCWD, item->path, hex, &unreadable))
                return false;
        return strcmp(hex, item->package->checksum) == 0;
}

static bool is_damaged(const struct fetch *fetch, struct fetch_item *item) {
        if (!item->cached || verified_has(fetch->verified, item->policy, item->path))
                return false;
        item->digest_known = cached_digest_is_right(item);
        return !item->digest_known;
}

// Cache entries that do not match any more (a disk's fault, or a crash before the data reached it) are removed here,
// once, if there is another place to have them from.
static void remove_damaged(struct fetch *fetch) {
        for (size_t i = 0; i < fetch->count; i++) {
                struct fetch_item *item = &fetch->items[i];
                bool can_download = item->urls.count > 0 && !fetch->packages->options.offline;
                bool replaceable = item->cached && (item->local || can_download);
                if (!replaceable || !is_damaged(fetch, item))
                        continue;
                warning("%s in the cache is damaged and fetched again", item->package->nevra);
                unlink(item->path);
                item->cached = false;
        }
}

// Every set that has the package knows its path from now on.
static void publish_path(const struct fetch *fetch, const struct fetch_item *item) {
        struct package *package = package_described(fetch->packages, item->package->solvable);
        assert(package == item->package);
        package->path = item->path;
}

// Fails with the first failure, and with the messages of all.
static bool check_failures(struct fetch *fetch, struct err *err) {
        struct fetch_item *first = NULL;
        auto_buf text = { 0 };
        size_t count = 0;
        for (size_t i = 0; i < fetch->count; i++) {
                struct fetch_item *item = &fetch->items[i];
                if (!item->failure.kind)
                        continue;
                if (!first)
                        first = item;
                if (count++ < LACKING_SHOWN)
                        buf_printf(&text, "\n  %s", item->failure.text);
        }
        if (!first)
                return true;
        if (count > LACKING_SHOWN)
                buf_printf(&text, "\n  and %zu more", count - LACKING_SHOWN);
        *err = take_err(&first->failure);
        if (count == 1)
                return false;
        auto_free char *remedy = take_ptr(err->hint);
        fail(err, err->kind, 0, "%zu packages cannot be used:%s", count, buf_text(&text));
        if (remedy)
                hint(err, "%s", remedy);
        return false;
}

static bool prepare_items(struct fetch *fetch, const struct package_set *set, struct err *err) {
        for (size_t i = 0; i < set->count; i++) {
                fetch->count++;
                if (!prepare_item(fetch, set->items[i], &fetch->items[i], err))
                        return false;
        }
        return true;
}

static bool fetch_all(struct fetch *fetch, const struct package_set *set, struct err *err) {
        if (!prepare_items(fetch, set, err))
                return false;
        size_t lacking = 0;
        remove_damaged(fetch);
        if (!load_packages(fetch, err) || !download_missing(fetch, &lacking, err))
                return false;
        if (lacking > 0)
                return fail_for_lacking(fetch, lacking, err);
        if (!parallel_for(fetch->count, THREADS, verify_item, fetch, err) || !check_failures(fetch, err))
                return false;
        for (size_t i = 0; i < fetch->count; i++) {
                struct fetch_item *item = &fetch->items[i];
                publish_path(fetch, item);
                offer_package(fetch, item);
                if (!item->verified_before)
                        verified_add(fetch->verified, item->policy, item->path);
        }
        return true;
}

static void remove_stale_parts(const struct packages *packages) {
        auto_free char *path = cache_kind_path(packages->options.cache, CACHE_PACKAGES);
        partial_sweep(path);
}

static struct fetch fetch_begin(struct packages *packages, const struct package_set *set) {
        assert(packages->options.cache);
        return (struct fetch){ .packages = packages,
                               .items = xcalloc(set->count + 1, sizeof(struct fetch_item)),
                               .verified = verified_load(packages->options.cache) };
}

static void fetch_end(struct fetch *fetch) {
        for (size_t i = 0; i < fetch->count; i++) {
                free(fetch->items[i].urls.items);
                err_release(&fetch->items[i].failure);
        }
        free(fetch->items);
        verified_save_and_free(fetch->verified);
}

bool packages_fetch(struct packages *packages, const struct package_set *set, struct err *err) {
        struct fetch fetch = fetch_begin(packages, set);
        bool ok = fetch_all(&fetch, set, err);
        fetch_end(&fetch);
        if (ok)
                remove_stale_parts(packages);
        return ok;
}

static struct package_whereabouts whereabouts_of(const struct fetch *fetch, struct fetch_item *item) {
        struct package_whereabouts found = { item->package, PACKAGE_REMOTE, is_damaged(fetch, item) };
        if (item->local)
                found.source = PACKAGE_LOCAL;
        if (item->cached && !found.is_damaged)
                found.source = PACKAGE_CACHED;
        return found;
}

bool packages_look(struct packages *packages, const struct package_set *set, struct package_whereabouts *ret,
                   struct err *err) {
        struct fetch fetch = fetch_begin(packages, set);
        bool ok = prepare_items(&fetch, set, err);
        size_t lacking = 0;
        for (size_t i = 0; ok && i < fetch.count; i++) {
                struct fetch_item *item = &fetch.items[i];
                ret[i] = whereabouts_of(&fetch, item);
                if (ret[i].source == PACKAGE_CACHED)
                        publish_path(&fetch, item);
                item->lacking = ret[i].source == PACKAGE_REMOTE && item->urls.count == 0;
                lacking += item->lacking;
        }
        if (lacking > 0)
                ok = fail_for_lacking(&fetch, lacking, err);
        fetch_end(&fetch); // nothing was verified, so nothing is written
        return ok;
}
