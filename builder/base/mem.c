// SPDX-License-Identifier: MIT
#include "base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static void *checked(void *memory) {
        if (!memory) {
                static const char message[] = "kiln: out of memory\n";
                (void)!write(STDERR_FILENO, message, sizeof message - 1);
                abort();
        }
        return memory;
}

// malloc(0) and its like may return NULL.
void *xmalloc(size_t size) { return checked(malloc(size_max(size, 1))); }
void *xcalloc(size_t count, size_t size) { return checked(calloc(size_max(count, 1), size_max(size, 1))); }
void *xrealloc(void *memory, size_t size) { return checked(realloc(memory, size_max(size, 1))); }
char *xstrdup(const char *text) { return checked(strdup(text)); }
char *xstrndup(const char *text, size_t length) { return checked(strndup(text, length)); }

char *xvasprintf(const char *format, va_list arguments) {
        char *text = NULL;
        if (vasprintf(&text, format, arguments) < 0)
                text = NULL;
        return checked(text);
}

char *xasprintf(const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        char *text = xvasprintf(format, arguments);
        va_end(arguments);
        return text;
}

// Arrays have room for the power of two at or above their count, which therefore need not be stored.
static bool is_power_of_two(size_t count) { return (count & (count - 1)) == 0; }

void *array_append_bytes(void **array, size_t *count, size_t element_size) {
        if (*count == 0)
                *array = checked(reallocarray(*array, 1, element_size));
        else if (is_power_of_two(*count))
                *array = checked(reallocarray(*array, *count * 2, element_size));
        void *element = (char *)*array + *count * element_size;
        *count += 1;
        return memset(element, 0, element_size);
}

struct arena_block {
        struct arena_block *next;
        size_t used, size;
        max_align_t data[];
};

enum { ARENA_BLOCK_BYTES = 64 << 10 };

void *arena_alloc(struct arena *arena, size_t size) {
        assert(size <= SIZE_MAX / 2); // a difference that went below zero
        size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
        struct arena_block *block = arena->blocks;
        if (!block || block->size - block->used < size) {
                size_t room = size_max(size, ARENA_BLOCK_BYTES);
                block = xcalloc(1, sizeof *block + room);
                block->size = room;
                block->next = arena->blocks;
                arena->blocks = block;
        }
        void *memory = (char *)block->data + block->used;
        block->used += size;
        return memory;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length) {
        return memcpy(arena_alloc(arena, length + 1), text, strnlen(text, length));
}

char *arena_strdup(struct arena *arena, const char *text) { return arena_strndup(arena, text, strlen(text)); }

char *arena_printf(struct arena *arena, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *text = xvasprintf(format, arguments);
        va_end(arguments);
        return arena_strdup(arena, text);
}

void *arena_grow(struct arena *arena, const void *array, size_t count, size_t element_size) {
        if (count == 0)
                return arena_alloc(arena, element_size);
        if (!is_power_of_two(count))
                return (void *)array;
        return memcpy(arena_alloc(arena, 2 * count * element_size), array, count * element_size);
}

void arena_wipe(struct arena *arena) {
        for (struct arena_block *block = arena->blocks; block; block = block->next)
                explicit_bzero(block->data, block->used);
        arena_release(arena);
}

void arena_release(struct arena *arena) {
        while (arena->blocks) {
                struct arena_block *next = arena->blocks->next;
                free(arena->blocks);
                arena->blocks = next;
        }
}
