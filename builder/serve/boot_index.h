// SPDX-License-Identifier: MIT
// Machines by card, address and name: hash tables of pointers, which are the state's.
#ifndef KILN_SERVE_BOOT_INDEX_H
#define KILN_SERVE_BOOT_INDEX_H

#include <stdbool.h>
#include <stddef.h>

struct boot_machine;

// A table with open addressing; a key is at most 64 bytes and is copied.
struct boot_index;
enum { BOOT_INDEX_KEY_MAX = 64 };

struct boot_index *boot_index_new(void);
void boot_index_free(struct boot_index *index); // NULL is fine
// `kind` tells keys of different meaning apart. A second entry of a key replaces the first.
void boot_index_put(struct boot_index *index, char kind, const void *key, size_t size, struct boot_machine *machine);
struct boot_machine *boot_index_get(const struct boot_index *index, char kind, const void *key, size_t size);
// Takes a key out, if it is that machine's.
void boot_index_drop(struct boot_index *index, char kind, const void *key, size_t size,
                     const struct boot_machine *machine);

#endif
