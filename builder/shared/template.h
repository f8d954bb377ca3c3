// SPDX-License-Identifier: MIT
// Mustache (the specification's interpolation, sections, inverted sections, comments and standalone lines; no lambdas,
// partials or delimiter changes), escaping off, dotted names. An unknown variable is an error with file:line:column.
//
// Two phases: at build time every name but those below `node` and `secrets` is filled in; a template that mentions
// node.* or secrets.* keeps those tags as they are, and kiln-node renders the rest. Shared with kiln-node.
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

// From now on an unknown variable ends no rendering, and becomes nothing: `tell` is called for each, with what would
// have been the error, which it may take.
typedef void template_mistake(struct err *mistake, void *context);
void template_tell_unknown(struct template *template, template_mistake *tell, void *context);

// What only the node knows.
#define TEMPLATE_NODE_NAMES "node secrets"
#define TEMPLATE_SECRETS "secrets"

// Appends to `ret_output`. `keep`: leave tags whose first name is one of these words as they are; NULL on the node.
// `ret_kept` (may be NULL) says whether any tag was left. Lists: inside a section over a list, an item's keys
// come first, then the outer scopes; every item also has `first` and `last` (booleans) and `position` (1, 2, ...), and
// a scalar item is `.`.
must_check bool template_apply(const struct template *template, const struct value *scope, const char *keep,
                               struct buf *ret_output, bool *ret_kept, struct err *err);

// The three in one, for a text that is rendered once.
must_check bool template_render(const char *name, const char *text, size_t size, const struct value *scope,
                                const char *keep, struct buf *ret_output, bool *ret_kept, struct err *err);

// A tag that speaks of a secret: `name` is what follows "secrets.", empty for a tag that is `secrets` alone.
// `is_needed`: its value is printed, and not inside of a section that asks first whether there is one
// ({{#secrets.NAME}}).
struct template_secret {
        const char *name;
        size_t name_size, offset; // of "{{", for template_refuse()
        bool is_needed;
};
// The next one behind `*at`, which counts tags and begins with 0. False: there is no other.
bool template_next_secret(const struct template *template, size_t *at, struct template_secret *ret);

// Fails as ERR_TEMPLATE, with the place of `offset`, and the line there.
bool template_refuse(const struct template *template, size_t offset, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static inline void template_cleanup(struct template **template) { template_close(*template); }
#define auto_template __attribute__((cleanup(template_cleanup))) struct template

#endif
