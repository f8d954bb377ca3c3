// SPDX-License-Identifier: MIT
#include "serve/boot_index.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

enum { INDEX_LEAST = 64 };

// A slot whose machine is NULL and whose size is not 0 was taken out.
struct index_slot {
        struct boot_machine *machine;
        uint8_t size;
        char key[BOOT_INDEX_KEY_MAX + 1];
};

struct boot_index {
        struct index_slot *slots;
        size_t room, used; // room is a power of two; used counts what was taken out, too
        uint64_t seed;
};

struct boot_index *boot_index_new(void) {
        struct boot_index *index = xcalloc(1, sizeof *index);
        index->room = INDEX_LEAST;
        index->slots = xcalloc(index->room, sizeof *index->slots);
        // Addresses and names come from the network: nobody may choose them so that they fall together.
        if (getrandom(&index->seed, sizeof index->seed, GRND_NONBLOCK) < 0)
                index->seed = (uintptr_t)index;
        return index;
}

void boot_index_free(struct boot_index *index) {
        if (!index)
                return;
        free(index->slots);
        free(index);
}

// FNV-1a with a seed, and a finaliser.
static size_t hash_key(const struct boot_index *index, const char *key, size_t size) {
        uint64_t hash = 0xcbf29ce484222325U ^ index->seed;
        for (size_t i = 0; i < size; i++)
                hash = (hash ^ (unsigned char)key[i]) * 0x100000001b3U;
        hash ^= hash >> 32;
        return (size_t)(hash * 0x9e3779b97f4a7c15U >> 16);
}

static bool slot_is(const struct index_slot *slot, const char *key, size_t size) {
        return slot->machine && slot->size == size && memcmp(slot->key, key, size) == 0;
}

// The slot of a key, or the free one where it would go.
static struct index_slot *find_slot(const struct boot_index *index, const char *key, size_t size) {
        size_t at = hash_key(index, key, size) & (index->room - 1);
        while (index->slots[at].size > 0 && !slot_is(&index->slots[at], key, size))
                at = (at + 1) & (index->room - 1);
        return &index->slots[at];
}

static void grow_index(struct boot_index *index) {
        struct boot_index larger = { .room = index->room, .seed = index->seed };
        size_t living = 0;
        for (size_t i = 0; i < index->room; i++)
                living += index->slots[i].machine != NULL;
        while (living * 4 >= larger.room)
                larger.room *= 2;
        larger.slots = xcalloc(larger.room, sizeof *larger.slots);
        for (size_t i = 0; i < index->room; i++) {
                const struct index_slot *slot = &index->slots[i];
                if (slot->machine)
                        *find_slot(&larger, slot->key, slot->size) = *slot;
        }
        larger.used = living;
        free(index->slots);
        *index = larger;
}

static size_t make_key(char kind, const void *key, size_t size, char ret[static BOOT_INDEX_KEY_MAX + 1]) {
        assert(size > 0 && size <= BOOT_INDEX_KEY_MAX);
        ret[0] = kind;
        memcpy(ret + 1, key, size);
        return size + 1;
}

void boot_index_put(struct boot_index *index, char kind, const void *key, size_t size, struct boot_machine *machine) {
        char whole[BOOT_INDEX_KEY_MAX + 1];
        size_t whole_size = make_key(kind, key, size, whole);
        if (index->used * 2 >= index->room)
                grow_index(index);
        struct index_slot *slot = find_slot(index, whole, whole_size);
        index->used += slot->size == 0;
        slot->machine = machine;
        slot->size = (uint8_t)whole_size;
        memcpy(slot->key, whole, whole_size);
}

struct boot_machine *boot_index_get(const struct boot_index *index, char kind, const void *key, size_t size) {
        char whole[BOOT_INDEX_KEY_MAX + 1];
        if (size == 0 || size > BOOT_INDEX_KEY_MAX)
                return NULL;
        size_t whole_size = make_key(kind, key, size, whole);
        return find_slot(index, whole, whole_size)->machine;
}

void boot_index_drop(struct boot_index *index, char kind, const void *key, size_t size,
                     const struct boot_machine *machine) {
        char whole[BOOT_INDEX_KEY_MAX + 1];
        size_t whole_size = make_key(kind, key, size, whole);
        struct index_slot *slot = find_slot(index, whole, whole_size);
        if (slot->machine == machine)
                slot->machine = NULL;
}
