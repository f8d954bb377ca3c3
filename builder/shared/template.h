// SPDX-License-Identifier: MIT
// Mustache (the specification's interpolation, sections, inverted sections, comments and standalone lines; no lambdas,
// partials or delimiter changes), escaping off, dotted names. An unknown variable is an error with file:line:column.
//
// Two phases: at build time every name but those below `node` is filled in; a template that mentions
// node.* keeps those tags as they are, and kiln-node renders the rest. Shared with kiln-node.
#ifndef KILN_SHARED_TEMPLATE_H
#define KILN_SHARED_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "shared/value.h"

// A text that was split into its tags once, to be rendered any number of times; it is not changed by that. `name`, for
// messages, and `text` stay the caller's and must outlive it. ERR_TEMPLATE for a text that is no template.
struct template;
must_check bool template_open(const char *name, const char *text, size_t size, struct template **ret, struct err *err);
void template_close(struct template *template);

// Appends to `ret_output`. `keep`: leave tags whose first name is this ("node") as they are; NULL on the node.
// `ret_kept` (may be NULL) says whether any tag was left. Lists: inside a section over a list, an item's keys
// come first, then the outer scopes; every item also has `first` and `last` (booleans), and a scalar item is `.`.
must_check bool template_apply(const struct template *template, const struct value *scope, const char *keep,
                               struct buf *ret_output, bool *ret_kept, struct err *err);

// The three in one, for a text that is rendered once.
must_check bool template_render(const char *name, const char *text, size_t size, const struct value *scope,
                                const char *keep, struct buf *ret_output, bool *ret_kept, struct err *err);

static inline void template_cleanup(struct template **template) { template_close(*template); }
#define auto_template __attribute__((cleanup(template_cleanup))) struct template

#endif
