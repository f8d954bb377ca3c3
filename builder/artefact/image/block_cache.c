// SPDX-License-Identifier: MIT
#include "artefact/image/block_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"

enum { BUCKETS = 1 << 14 }; // an image has some thousand blocks

struct block {
        struct block *next;
        struct block_place place;
        size_t image;   // index, of blocks that can be found
        bool is_placed; // of blocks of the image that is packed now
};

struct block_table {
        struct block *buckets[BUCKETS];
        size_t count;
};

struct block_image {
        int fd;
        bool is_told; // that it is damaged
};

struct block_cache {
        char *maker;
        pthread_mutex_t lock;       // over everything below
        struct block_table known;   // by key
        struct block_table current; // of the image that is packed now: by sum, since only compressed bytes get a place
        struct block_counts counts;
        struct block_image *images;
        size_t image_count;
};

// ---- tables ----

static struct block **bucket_of(struct block_table *table, const char *hex) {
        char head[9] = "";
        memcpy(head, hex, sizeof head - 1);
        return &table->buckets[strtoul(head, NULL, 16) % BUCKETS];
}

static struct block *table_insert(struct block_table *table, const char *hex, const struct block_place *place) {
        struct block **bucket = bucket_of(table, hex);
        struct block *block = xcalloc(1, sizeof *block);
        block->place = *place;
        block->next = *bucket;
        *bucket = block;
        table->count++;
        return block;
}

static void table_clear(struct block_table *table) {
        for (size_t i = 0; i < BUCKETS; i++) {
                for (struct block *block = table->buckets[i], *next; block; block = next) {
                        next = block->next;
                        free(block);
                }
                table->buckets[i] = NULL;
        }
        table->count = 0;
}

static struct block *find_known_block(struct block_cache *cache, const char *key) {
        struct block *block = *bucket_of(&cache->known, key);
        while (block && strcmp(block->place.key, key) != 0)
                block = block->next;
        return block;
}

// ---- images that are packed ----

struct block_cache *block_cache_new(const char *maker) {
        struct block_cache *cache = xcalloc(1, sizeof *cache);
        pthread_mutex_init(&cache->lock, NULL);
        cache->maker = xstrdup(maker);
        return cache;
}

void block_cache_free(struct block_cache *cache) {
        if (!cache)
                return;
        table_clear(&cache->known);
        table_clear(&cache->current);
        for (size_t i = 0; i < cache->image_count; i++)
                close(cache->images[i].fd);
        free(cache->images);
        free(cache->maker);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
}

static void add_known(struct block_cache *cache, const struct block_place *places, size_t count, int fd) {
        size_t image = cache->image_count;
        *array_append(&cache->images, &cache->image_count) = (struct block_image){ .fd = fd };
        for (size_t i = 0; i < count; i++)
                if (!find_known_block(cache, places[i].key))
                        table_insert(&cache->known, places[i].key, &places[i])->image = image;
}

bool block_cache_add_image(struct block_cache *cache, const struct buf *index, int fd) {
        size_t count;
        auto_free struct block_place *places = block_index_parse(index, cache->maker, &count);
        if (!places)
                return false;
        pthread_mutex_lock(&cache->lock);
        add_known(cache, places, count, fd);
        pthread_mutex_unlock(&cache->lock);
        return true;
}

void block_cache_key(const void *block, size_t size, const struct block_settings *settings, size_t most,
                     char ret_key[static BLOCK_KEY_SIZE]) {
        const uint64_t numbers[] = { size, settings->compressor, (uint64_t)settings->level, most };
        char content[BLOCK_SUM_SIZE], others[BLOCK_SUM_SIZE];
        block_sum(block, size, content);
        block_sum(numbers, sizeof numbers, others);
        snprintf(ret_key, BLOCK_KEY_SIZE, "%s%s", content, others);
}

static bool read_block(int fd, const struct block_place *place, void *out) {
        char sum[BLOCK_SUM_SIZE];
        if (pread(fd, out, place->size, (off_t)place->offset) != (ssize_t)place->size)
                return false;
        block_sum(out, place->size, sum);
        return strcmp(sum, place->sum) == 0;
}

static void tell_damage(struct block_cache *cache, const struct block *block) {
        pthread_mutex_lock(&cache->lock);
        struct block_image *image = &cache->images[block->image];
        bool is_first = !image->is_told;
        image->is_told = true;
        pthread_mutex_unlock(&cache->lock);
        if (is_first)
                warning("a packed root of the cache is not what was put there: its block at byte %llu is compressed "
                        "again; look at the disk and the memory of this machine",
                        (unsigned long long)block->place.offset);
}

bool block_cache_find(struct block_cache *cache, const char *key, void *out, size_t room, struct block_place *ret) {
        pthread_mutex_lock(&cache->lock);
        const struct block *block = find_known_block(cache, key);
        int fd = -1;
        if (block)
                fd = cache->images[block->image].fd;
        pthread_mutex_unlock(&cache->lock);
        if (!block || block->place.size > room)
                return false;
        // No lock is needed to read it: a block never changes once it can be found.
        if (!read_block(fd, &block->place, out)) {
                tell_damage(cache, block);
                return false;
        }
        *ret = block->place;
        return true;
}

// ---- the image that is packed now ----

void block_cache_begin(struct block_cache *cache) {
        pthread_mutex_lock(&cache->lock);
        table_clear(&cache->current);
        cache->counts = (struct block_counts){ 0 };
        pthread_mutex_unlock(&cache->lock);
}

static bool is_noted(struct block_cache *cache, const struct block_place *place) {
        const struct block *block = *bucket_of(&cache->current, place->sum);
        while (block && strcmp(block->place.key, place->key) != 0)
                block = block->next;
        return block != NULL;
}

void block_cache_note(struct block_cache *cache, const struct block_place *place, bool is_found) {
        pthread_mutex_lock(&cache->lock);
        if (is_found)
                cache->counts.found++;
        else
                cache->counts.compressed++;
        if (place->size > 0 && !is_noted(cache, place))
                table_insert(&cache->current, place->sum, place);
        pthread_mutex_unlock(&cache->lock);
}

struct block_counts block_cache_counts(const struct block_cache *cache) {
        return cache->counts;
}

void block_cache_place(struct block_cache *cache, const void *data, size_t size, uint64_t offset) {
        char sum[BLOCK_SUM_SIZE];
        block_sum(data, size, sum);
        pthread_mutex_lock(&cache->lock);
        for (struct block *block = *bucket_of(&cache->current, sum); block; block = block->next)
                if (!block->is_placed && strcmp(block->place.sum, sum) == 0) {
                        block->place.offset = offset;
                        block->is_placed = true;
                }
        pthread_mutex_unlock(&cache->lock);
}

static struct block_place *list_placed(const struct block_cache *cache, size_t *ret_count) {
        struct block_place *places = NULL;
        *ret_count = 0;
        for (size_t i = 0; i < BUCKETS; i++)
                for (const struct block *block = cache->current.buckets[i]; block; block = block->next)
                        if (block->is_placed)
                                *array_append(&places, ret_count) = block->place;
        return places;
}

void block_cache_finish(struct block_cache *cache, int fd, struct buf *ret_index) {
        size_t count;
        assert(fd >= 0);
        pthread_mutex_lock(&cache->lock);
        auto_free struct block_place *places = list_placed(cache, &count);
        block_index_format(places, count, cache->maker, ret_index);
        add_known(cache, places, count, fd);
        table_clear(&cache->current);
        pthread_mutex_unlock(&cache->lock);
}
