// SPDX-License-Identifier: MIT
// What the cache says of itself.
#include <inttypes.h>

#include "cache_server/internal.h"

static uint64_t counted(const uint64_t *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }

static void metric(struct buf *ret, const char *name, const char *type, const char *help) {
        buf_printf(ret, "# HELP kiln_cache_%s %s\n# TYPE kiln_cache_%s %s\n", name, help, name, type);
}

static void single(struct buf *ret, const char *name, const char *type, const char *help, uint64_t value) {
        metric(ret, name, type, help);
        buf_printf(ret, "kiln_cache_%s %" PRIu64 "\n", name, value);
}

void cache_metrics(struct cache_server *server, struct buf *ret) {
        const struct cache_counts *counts = &server->counts;
        struct store_totals totals;
        store_count(server->store, &totals);
        single(ret, "bytes", "gauge", "What entries and uploads take on the disk.", totals.bytes);
        single(ret, "limit_bytes", "gauge", "What they may take; 0: all there is.", totals.limit_bytes);
        metric(ret, "entries", "gauge", "Entries by kind.");
        for (int kind = 0; kind < STORE_KIND_COUNT; kind++)
                buf_printf(ret, "kiln_cache_entries{kind=\"%s\"} %zu\n", store_kind_names[kind], totals.entries[kind]);
        metric(ret, "lookups_total", "counter", "GET and HEAD of an entry, by whether it was there.");
        buf_printf(ret, "kiln_cache_lookups_total{found=\"yes\"} %" PRIu64 "\n", counted(&counts->hits));
        buf_printf(ret, "kiln_cache_lookups_total{found=\"no\"} %" PRIu64 "\n", counted(&counts->misses));
        metric(ret, "uploads_total", "counter", "PUT of an entry, by what came of it.");
        buf_printf(ret, "kiln_cache_uploads_total{result=\"kept\"} %" PRIu64 "\n", counted(&counts->uploads));
        buf_printf(ret, "kiln_cache_uploads_total{result=\"there\"} %" PRIu64 "\n", counted(&counts->there));
        buf_printf(ret, "kiln_cache_uploads_total{result=\"refused\"} %" PRIu64 "\n", counted(&counts->refused));
        single(ret, "received_bytes_total", "counter", "Bodies that came in.", counted(&counts->received_bytes));
        single(ret, "sent_bytes_total", "counter", "Contents that were sent to their end.",
               counted(&counts->sent_bytes));
        single(ret, "evicted_total", "counter", "Entries that were removed for others.", totals.evicted);
        single(ret, "evicted_bytes_total", "counter", "What these had taken.", totals.evicted_bytes);
}

void cache_status_line(struct cache_server *server, struct buf *ret) {
        const struct cache_counts *counts = &server->counts;
        uint64_t hits = counted(&counts->hits), lookups = hits + counted(&counts->misses);
        struct store_totals totals;
        store_count(server->store, &totals);
        buf_printf(ret, "kiln cache: %zu entries, %zu contents, %.1f", totals.entries[STORE_AC],
                   totals.entries[STORE_CAS], (double)totals.bytes / 1e9);
        if (totals.limit_bytes > 0)
                buf_printf(ret, " of %.1f", (double)totals.limit_bytes / 1e9);
        buf_printf(ret,
                   " GB; %" PRIu64 " of %" PRIu64 " lookups found, %" PRIu64 " uploads kept, %" PRIu64 " evicted\n",
                   hits, lookups, counted(&counts->uploads), totals.evicted);
}
