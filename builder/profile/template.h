// Mustache (the specification's interpolation, sections, inverted sections, comments and standalone lines; no lambdas,
// partials or delimiter changes), escaping off, dotted names. An unknown variable is an error with file:line:column.
//
// Two phases: at build time every name but those below `node` is filled in; a template that mentions
// node.* keeps those tags as they are, and kiln-node renders the rest. Shared with kiln-node.
#ifndef KILN_PROFILE_TEMPLATE_H
#define KILN_PROFILE_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "profile/value.h"

// `name` is for messages. `keep`: leave tags whose first name is this ("node") as they are; NULL on the node.
// `ret_kept` (may be NULL) says whether any tag was left. Lists: inside a section over a list, an item's keys
// come first, then the outer scopes; every item also has `first` and `last` (booleans), and a scalar item is `.`.
must_check bool template_render(const char *name, const char *text, size_t size, const struct value *scope,
                                const char *keep, struct buf *ret_output, bool *ret_kept, struct err *err);

#endif
