// SPDX-License-Identifier: MIT
// Memory and ownership. Out of memory aborts: no caller can do better. Declare where you initialise:
//
//     auto_free char *path = xasprintf("%s/x", dir);
//     auto_close int fd = open(...);
//     return take_ptr(path);                                   ownership leaves the scope
#ifndef KILN_BASE_MEM_H
#define KILN_BASE_MEM_H

#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static inline void free_cleanup(void *pointer) { free(*(void **)pointer); }
static inline void close_cleanup(const int *fd) {
        if (*fd >= 0)
                close(*fd); // never retried: on Linux the descriptor is gone even after EINTR
}
static inline void fclose_cleanup(FILE **file) {
        if (*file)
                fclose(*file);
}
static inline void closedir_cleanup(DIR **dir) {
        if (*dir)
                closedir(*dir);
}
#define auto_free __attribute__((cleanup(free_cleanup)))
#define auto_close __attribute__((cleanup(close_cleanup)))
#define auto_fclose __attribute__((cleanup(fclose_cleanup)))
#define auto_closedir __attribute__((cleanup(closedir_cleanup)))

#define take_ptr(pointer)                                                                                              \
        ({                                                                                                             \
                __typeof__(pointer) taken_ = (pointer);                                                                \
                (pointer) = NULL;                                                                                      \
                taken_;                                                                                                \
        })
#define take_fd(fd)                                                                                                    \
        ({                                                                                                             \
                int taken_ = (fd);                                                                                     \
                (fd) = -1;                                                                                             \
                taken_;                                                                                                \
        })
#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

static inline const char *text_or(const char *text, const char *otherwise) { return text ? text : otherwise; }
static inline size_t size_min(size_t left, size_t right) { return left < right ? left : right; }
static inline size_t size_max(size_t left, size_t right) { return left > right ? left : right; }

// Appends one zeroed element to a heap array of `count` elements and yields a pointer to it:
//     struct node *node = array_append(&cluster->nodes, &cluster->node_count);
#define array_append(array, count)                                                                                     \
        ((__typeof__(*(array)))array_append_bytes((void **)(array), (count), sizeof(**(array))))
void *array_append_bytes(void **array, size_t *count, size_t element_size);

// An arena: memory that lives until arena_release() frees all of it. A zeroed one is empty and ready.
struct arena {
        struct arena_block *blocks;
};
void *arena_alloc(struct arena *arena, size_t size); // zeroed, aligned for any type
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The array with room for one more element: itself, or a larger copy whenever `count` is a power of two (or 0).
void *arena_grow(struct arena *arena, const void *array, size_t count, size_t element_size);
void arena_release(struct arena *arena);
void arena_wipe(struct arena *arena); // overwrites all of it, and releases it

#endif
