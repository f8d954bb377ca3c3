// SPDX-License-Identifier: MIT
#include "artefact/image/block_cache.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

enum { BUCKETS = 1 << 14 }; // an image has some ten thousand blocks

struct block {
        struct block *next;
        char key[BLOCK_KEY_SIZE];
        uint64_t offset;
        size_t size;
};

struct block_cache {
        pthread_mutex_t lock; // over everything below
        struct block *buckets[BUCKETS];
        uint64_t end;
        int file;
};

struct block_cache *block_cache_new(const char *directory) {
        int file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (file < 0)
                return NULL;
        struct block_cache *cache = xcalloc(1, sizeof *cache);
        pthread_mutex_init(&cache->lock, NULL);
        cache->file = file;
        return cache;
}

void block_cache_free(struct block_cache *cache) {
        if (!cache)
                return;
        for (size_t i = 0; i < BUCKETS; i++)
                for (struct block *block = cache->buckets[i], *next; block; block = next) {
                        next = block->next;
                        free(block);
                }
        close(cache->file);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
}

void block_cache_key(const void *block, size_t size, int level, size_t most, char ret_key[static BLOCK_KEY_SIZE]) {
        const uint64_t settings[] = { size, (uint64_t)level, most };
        char hex[DIGEST_HEX_SIZE];
        struct digest *digest = digest_new("sha256");
        digest_update(digest, settings, sizeof settings);
        digest_update(digest, block, size);
        digest_final(digest, hex);
        memcpy(ret_key, hex, BLOCK_KEY_SIZE);
}

static struct block **bucket_of(struct block_cache *cache, const char *key) {
        char head[9] = "";
        memcpy(head, key, 8);
        return &cache->buckets[strtoul(head, NULL, 16) % BUCKETS];
}

bool block_cache_find(struct block_cache *cache, const char *key, void *out, size_t room, size_t *ret_size) {
        pthread_mutex_lock(&cache->lock);
        struct block *block = *bucket_of(cache, key);
        while (block && strcmp(block->key, key) != 0)
                block = block->next;
        pthread_mutex_unlock(&cache->lock);
        if (!block || block->size > room)
                return false;
        // No lock is needed to read it: a block never changes once it is in the list.
        ssize_t got = pread(cache->file, out, block->size, (off_t)block->offset);
        if (got != (ssize_t)block->size)
                return false;
        *ret_size = block->size;
        return true;
}

void block_cache_add(struct block_cache *cache, const char *key, const void *data, size_t size) {
        pthread_mutex_lock(&cache->lock);
        uint64_t offset = cache->end;
        cache->end += size;
        pthread_mutex_unlock(&cache->lock);
        if (pwrite(cache->file, data, size, (off_t)offset) != (ssize_t)size)
                return;
        struct block *block = xcalloc(1, sizeof *block);
        memcpy(block->key, key, BLOCK_KEY_SIZE);
        block->offset = offset;
        block->size = size;
        pthread_mutex_lock(&cache->lock);
        struct block **bucket = bucket_of(cache, key);
        block->next = *bucket;
        *bucket = block;
        pthread_mutex_unlock(&cache->lock);
}
