// SPDX-License-Identifier: MIT
// Objects inside of what --json prints, in tables as the answers themselves.
#ifndef KILN_VERBS_ANSWER_SHAPES_H
#define KILN_VERBS_ANSWER_SHAPES_H

#include <stdbool.h>
#include <stddef.h>

// What a member is: the name of a simple type, or one of a shape's words. One that `may_lack` is there only where it
// means something.
struct answer_member {
        const char *name, *type, *help;
        bool may_lack;
};

// An object whose members a type means.
struct answer_use {
        const struct answer_member *members;
        size_t count;
        bool is_list, is_by_name, may_be_null; // neither of the first two: it stands alone
};

// False: the type is a simple one.
bool answer_shape_find(const char *type, struct answer_use *ret);

#endif
