// SPDX-License-Identifier: MIT
// Users and groups of an image: passwd(5), group(5), shadow(5), gshadow(5), read and written as text, never through the
// host's name service.
#ifndef KILN_ROOTFS_ACCOUNT_TABLES_H
#define KILN_ROOTFS_ACCOUNT_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

struct account_table {
        const char *path;
        struct buf text;
        bool changed;
};

struct accounts {
        struct account_table passwd, group, shadow, gshadow;
};

// Of the image `root`; an absent table is empty. To be released in any case.
must_check bool accounts_read(int root, struct accounts *ret, struct err *err);
// Writes the tables that were changed, in place: they keep their owners and modes (0000 in EL, group shadow in others).
must_check bool accounts_save(int root, const struct accounts *accounts, struct err *err);
void accounts_release(struct accounts *accounts);

// Steps through the lines of a table; `*line` is NULL before the first. `length` is without the newline.
bool account_next(const struct account_table *table, const char **line, size_t *length);
// The line of `name`, or NULL. `ret_length` is without its newline.
const char *account_find(const struct account_table *table, const char *name, size_t *ret_length);
// The number in the third field, for passwd and group alike; -1 if there is none.
long account_id(const char *line, size_t length);

// Adds a user that the tables lack, without a password, and its group unless there is one of that name. Without a
// uid of its own it gets system ids from 999 down, others from 1000 up, as useradd does. SCHEMA, REFERENCE and
// DUPLICATE where the profile names the user.
must_check bool accounts_add(struct accounts *accounts, const struct user *user, int64_t source_date_epoch,
                             struct err *err);

#endif
