// SPDX-License-Identifier: MIT
#include "cache/cache_prune.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "cache/cache.h"
#include "cache/lock.h"
#include "cache/record.h"

struct prune {
        const char *cache;
        bool is_dry;
        enum cache_kind kind;
        const char *entry; // in parts: the one that is looked through
        struct record_lines needed;
        struct cache_total removed;
};

// Reads the newest records and removes the others.
static bool choose_records(struct prune *prune, unsigned record_count, struct err *err) {
        struct records records;
        auto_buf text = { .max = BUF_MAX_DEFAULT };
        bool ok = records_list(prune->cache, &records, err);
        for (size_t i = 0; ok && i < records.count; i++) {
                if (i < record_count)
                        ok = record_read(prune->cache, &records.items[i], &text, err);
                else if (!prune->is_dry)
                        ok = record_remove(prune->cache, &records.items[i], err);
        }
        records_release(&records);
        prune->needed = record_lines_of(buf_text(&text));
        return ok;
}

// Of an entry in parts that is needed: metadata of an earlier day goes, what repomd.xml said and when stays.
static bool prune_part(int dir, const char *name, void *context, struct err *err) {
        static const char *const always[] = {
                "lock", "newest", "repomd.xml", "repomd.xml.asc", "mirrorlist", "metalink"
        };
        const struct prune *prune = context;
        for (size_t i = 0; i < lengthof(always); i++)
                if (strcmp(name, always[i]) == 0)
                        return true;
        auto_free char *line =
            xasprintf("%s/%s/%.*s", cache_kinds[prune->kind].name, prune->entry, CACHE_PART_START, name);
        return prune->is_dry || record_lines_have(&prune->needed, line) || fs_remove_tree(dir, name, err);
}

static bool prune_parts(struct prune *prune, const char *name, struct err *err) {
        auto_free char *path = layout_entry(prune->cache, prune->kind, name);
        prune->entry = name;
        return cache_each(path, prune_part, prune, err);
}

static bool prune_entry(int dir, const char *name, void *context, struct err *err) {
        struct prune *prune = context;
        const struct cache_kind_facts *kind = &cache_kinds[prune->kind];
        bool is_lock = cache_is_lock(name);
        size_t length = strlen(name);
        if (is_lock)
                length -= strlen(".lock");
        auto_free char *line = xasprintf("%s/%.*s", kind->name, (int)length, name);
        bool is_needed = record_lines_have(&prune->needed, line);
        if (is_needed && kind->in_parts && !is_lock)
                return prune_parts(prune, name, err);
        if (is_needed)
                return true;
        if (!is_lock) {
                prune->removed.count++;
                cache_add_size(dir, name, &prune->removed.bytes);
        }
        return interrupt_check(err) && (prune->is_dry || lock_remove_entry(dir, name, err));
}

static bool prune_all(struct prune *prune, unsigned record_count, struct err *err) {
        bool ok = choose_records(prune, record_count, err);
        for (int kind = 0; ok && kind < CACHE_KIND_COUNT; kind++) {
                auto_free char *path = layout_kind(prune->cache, kind);
                prune->kind = kind;
                ok = cache_each(path, prune_entry, prune, err);
        }
        record_lines_release(&prune->needed);
        return ok;
}

bool cache_prune_locked(const char *cache, unsigned record_count, struct cache_total *ret_removed, struct err *err) {
        struct prune prune = { .cache = cache };
        bool ok = prune_all(&prune, record_count, err);
        *ret_removed = prune.removed;
        return ok;
}

bool cache_prune(const char *cache, unsigned record_count, bool is_dry, struct cache_total *ret_removed,
                 struct err *err) {
        struct prune prune = { .cache = cache, .is_dry = is_dry };
        auto_close int lock = -1;
        *ret_removed = prune.removed;
        if (!fs_exists(AT_FDCWD, cache))
                return true;
        if (!cache_check_owners(cache, err) || !lock_cache(cache, LOCK_EX, &lock, err) ||
            !prune_all(&prune, record_count, err))
                return false;
        *ret_removed = prune.removed;
        return true;
}
