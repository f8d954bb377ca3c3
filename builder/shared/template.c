// SPDX-License-Identifier: MIT
// Mustache (https://github.com/mustache/spec), without HTML escaping, lambdas, partials and delimiter changes. A text
// is split into tags once; sections know their end, so rendering walks ranges of tags.
#include "shared/template.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mistake.h"
#include "shared/secrets.h"
#include "shared/template_tags.h"

enum { STEPS_MAX = 5000000 };

// What names are looked up in, innermost first. In a section over a list, `first`, `last` and `position` are names too.
struct frame {
        const struct value *value; // NULL: a section left for the node, whose keys are not known here
        const struct frame *outer;
        const struct value *item; // a map of these; NULL: no section over a list
};

struct rendering {
        const struct template *template;
        const char *keep;
        struct buf *output;
        bool kept;
        size_t steps, checked;       // `checked`: output up to here holds no "{{" of ours
        size_t lone_start, lone_end; // where a tag lies that settle_lone() has to judge; lone_end 0: none
        const struct tag *braces;    // a value that brought "{{" into text that is to be rendered again
        struct err *err;
};

// ---- looking up ----

static struct value *get_part(const struct value *map, const char *name, size_t size) {
        for (size_t i = 0; map && map->type == VALUE_MAP && i < map->count; i++)
                if (strncmp(map->keys[i], name, size) == 0 && map->keys[i][size] == '\0')
                        return map->items[i];
        return NULL;
}

static bool part_is(const char *name, size_t size, const char *text) {
        return strlen(text) == size && memcmp(name, text, size) == 0;
}

static bool has_word(const char *words, const char *name, size_t size) {
        for (size_t length; *words; words += length + strspn(words + length, " ")) {
                length = strcspn(words, " ");
                if (length == size && memcmp(words, name, size) == 0)
                        return true;
        }
        return false;
}

// `*ret_hidden`: a section that is left for the node stands between here and the frame that answers to `.`, `first`,
// `last` and `position`, so that only the node can tell.
static const struct value *find_first(const struct frame *frame, const char *name, size_t size, bool *ret_hidden) {
        bool self = part_is(name, size, "."),
             of_item = part_is(name, size, "first") || part_is(name, size, "last") || part_is(name, size, "position");
        for (; frame; frame = frame->outer) {
                if (!frame->value && (self || of_item)) {
                        *ret_hidden = true;
                        return NULL;
                }
                if (self)
                        return frame->value;
                const struct value *value = get_part(frame->value, name, size);
                if (!value)
                        value = get_part(frame->item, name, size);
                if (value)
                        return value;
                *ret_hidden = *ret_hidden || !frame->value;
        }
        return NULL;
}

static size_t first_size(const struct tag *tag) {
        const char *dot = memchr(tag->name, '.', tag->name_size);
        if (!dot || tag->name_size == 1) // "." alone is the item of a list
                return tag->name_size;
        return (size_t)(dot - tag->name);
}

static bool refuse_unknown_variable(struct rendering *rendering, const struct tag *tag, const struct frame *frame,
                                    const struct value *parent, size_t known, size_t part) {
        auto_free char *wanted = xstrndup(tag->name + known, part);
        struct nearest nearest = { .wanted = wanted };
        for (size_t i = 0; parent && parent->type == VALUE_MAP && i < parent->count; i++)
                nearest_offer(&nearest, parent->keys[i]);
        for (; !parent && frame; frame = frame->outer)
                for (size_t i = 0; frame->value && frame->value->type == VALUE_MAP && i < frame->value->count; i++)
                        nearest_offer(&nearest, frame->value->keys[i]);
        if (parent)
                template_refuse(rendering->template, tag->offset, rendering->err,
                                "unknown variable `%.*s`: `%.*s` has no `%s`", (int)tag->name_size, tag->name,
                                (int)(known - 1), tag->name, wanted);
        else
                template_refuse(rendering->template, tag->offset, rendering->err, "unknown variable `%.*s`",
                                (int)tag->name_size, tag->name);
        if (!parent && strcmp(wanted, TEMPLATE_SECRETS) == 0)
                return hint(rendering->err, "secrets are known on the node alone: only files of a role may have them");
        if (nearest.best)
                hint(rendering->err, "did you mean `%.*s%s`?", (int)known, tag->name, nearest.best);
        return false;
}

// With somebody to tell of it, it is told and is nothing.
static bool take_unknown_variable(struct rendering *rendering, const struct tag *tag, const struct frame *frame,
                                  const struct value *parent, size_t known, size_t part, const struct value **ret) {
        static const struct value nothing = { .type = VALUE_NULL };
        const struct template *template = rendering->template;
        struct err *own = rendering->err;
        auto_err mistake = { 0 };
        if (!template->unknown)
                return refuse_unknown_variable(rendering, tag, frame, parent, known, part);
        rendering->err = &mistake;
        (void)refuse_unknown_variable(rendering, tag, frame, parent, known, part);
        rendering->err = own;
        template->unknown(&mistake, template->context);
        *ret = &nothing;
        return true;
}

// Names below `node` are the node's, unless an item of a section around the tag has such a key of its own.
static bool is_left(const struct rendering *rendering, const char *name, size_t size, const struct frame *frame) {
        if (!rendering->keep || !has_word(rendering->keep, name, size))
                return false;
        for (; frame->outer && frame->value; frame = frame->outer)
                if (get_part(frame->value, name, size))
                        return false;
        return true;
}

// Finds what a tag names. `*ret` is NULL if the tag is to be left for the node.
static bool find_variable(struct rendering *rendering, const struct tag *tag, const struct frame *frame,
                          const struct value **ret) {
        size_t known = first_size(tag);
        bool hidden = false;
        *ret = NULL;
        if (is_left(rendering, tag->name, known, frame))
                return true;
        const struct value *value = find_first(frame, tag->name, known, &hidden);
        if (!value)
                return hidden || take_unknown_variable(rendering, tag, frame, NULL, 0, known, ret);
        while (known < tag->name_size) {
                known++; // the dot
                const char *part = tag->name + known;
                const char *dot = memchr(part, '.', tag->name_size - known);
                size_t size = tag->name_size - known;
                if (dot)
                        size = (size_t)(dot - part);
                const struct value *child = get_part(value, part, size);
                if (!child)
                        return hidden || take_unknown_variable(rendering, tag, frame, value, known, size, ret);
                value = child;
                known += size;
        }
        *ret = value;
        return true;
}

// ---- rendering ----

static bool render_range(struct rendering *rendering, size_t begin, size_t end, const struct frame *frame);

static const char guard[] = "{{!}}";

// A tag that is left, and now stands alone on a line that it shared in the template, would lose that line on the node.
// Whether it stands alone shows only when the text behind it is known; then an empty comment is put before it.
static void settle_lone(struct rendering *rendering, bool at_end) {
        struct buf *output = rendering->output;
        size_t at = rendering->lone_end;
        if (at == 0 || output->overflow)
                return;
        while (at < output->size && is_blank_or_tab(output->data[at]))
                at++;
        if (at == output->size && !at_end)
                return;
        if (at == output->size || output->data[at] == '\n' || output->data[at] == '\r') {
                size_t start = rendering->lone_start, moved = output->size - start;
                buf_append_text(output, guard);
                if (output->overflow)
                        return;
                memmove(output->data + start + strlen(guard), output->data + start, moved);
                memcpy(output->data + start, guard, strlen(guard));
                rendering->checked += strlen(guard);
        }
        rendering->lone_end = 0;
}

// The node renders the text again, and must not take for a tag what a value brought in: remember which one had "{{".
static void append_rendered(struct rendering *rendering, const struct tag *tag, const char *text, size_t size) {
        buf_append(rendering->output, text, size);
        settle_lone(rendering, false);
        if (rendering->braces || rendering->output->overflow || !rendering->keep)
                return;
        size_t from = rendering->checked;
        if (memmem(rendering->output->data + from, rendering->output->size - from, "{{", 2))
                rendering->braces = tag;
        size_t total = rendering->output->size;
        bool half = total > 0 && rendering->output->data[total - 1] == '{'; // the other half may follow
        rendering->checked = total;
        if (half)
                rendering->checked = total - 1;
}

// Whether only blanks stand before the end of what was rendered, back to the start of its line.
static bool line_is_blank(const struct buf *output, bool *ret_empty) {
        size_t at = output->size;
        while (at > 0 && is_blank_or_tab(output->data[at - 1]))
                at--;
        *ret_empty = at == output->size;
        return at == 0 || output->data[at - 1] == '\n';
}

// Mustache removes the line of a section tag that stands alone on it. The node must remove the line of a tag that is
// left for it exactly if it would be removed here. But here and there the line may differ: what stood beside the tag
// may have rendered to nothing, and the text before may not end with a newline any more. An empty comment beside the
// tag keeps its line; a standalone tag in the middle of a line is written without its own newline.
static void append_tag(struct rendering *rendering, const struct tag *tag) {
        struct buf *output = rendering->output;
        bool empty = false;
        bool blank = line_is_blank(output, &empty);
        if (tag->standalone && !(blank && empty)) {
                buf_append_text(output, guard);
                buf_append(output, rendering->template->text + tag->offset, tag->bare_size);
                return;
        }
        size_t start = output->size;
        buf_append(output, tag->raw, tag->raw_size);
        settle_lone(rendering, false);
        if (tag->kind == TAG_VARIABLE || tag->standalone || !blank)
                return;
        rendering->lone_start = start;
        rendering->lone_end = output->size;
}

static void keep_tag(struct rendering *rendering, const struct tag *tag) {
        if (rendering->checked < rendering->output->size && !rendering->braces)
                rendering->braces = tag; // "{" before the tag would make it "{{{"
        append_tag(rendering, tag);
        rendering->checked = rendering->output->size;
        rendering->kept = true;
}

static bool render_variable(struct rendering *rendering, const struct tag *tag, const struct frame *frame) {
        const struct value *value;
        if (!find_variable(rendering, tag, frame, &value))
                return false;
        if (!value) {
                keep_tag(rendering, tag);
                return true;
        }
        if (value->type == VALUE_LIST || value->type == VALUE_MAP) {
                static const char *const whats[] = { [VALUE_LIST] = "list", [VALUE_MAP] = "map" };
                template_refuse(rendering->template, tag->offset, rendering->err, "`%.*s` is a %s, not a text",
                                (int)tag->name_size, tag->name, whats[value->type]);
                return hint(rendering->err, "use a section: {{#%.*s}}...{{/%.*s}}", (int)tag->name_size, tag->name,
                            (int)tag->name_size, tag->name);
        }
        if (value->type == VALUE_SCALAR)
                append_rendered(rendering, tag, value->text, strlen(value->text));
        return true;
}

static bool render_list(struct rendering *rendering, size_t begin, const struct tag *tag, const struct value *list,
                        const struct frame *outer) {
        for (size_t i = 0; i < list->count; i++) {
                static const char *keys[] = { "first", "last", "position" }, *truth[] = { "false", "true" };
                char position[24];
                snprintf(position, sizeof position, "%zu", i + 1);
                struct value first = { .type = VALUE_SCALAR, .text = truth[i == 0] }, number = first, last = first;
                last.text = truth[i + 1 == list->count];
                number.text = position;
                struct value *values[] = { &first, &last, &number };
                struct value item = { .type = VALUE_MAP, .keys = keys, .items = values, .count = lengthof(keys) };
                struct frame frame = { list->items[i], outer, &item };
                if (!render_range(rendering, begin, tag->end, &frame))
                        return false;
        }
        return true;
}

// A kept section's tags stay; what stands in it is filled in as far as it can be.
static bool render_kept_section(struct rendering *rendering, size_t index, const struct frame *outer) {
        const struct tag *tag = &rendering->template->tags[index];
        struct frame unknown = { .outer = outer };
        const struct frame *inside = outer; // an inverted section looks its names up where it stands
        if (tag->kind == TAG_SECTION)
                inside = &unknown;
        keep_tag(rendering, tag);
        if (!render_range(rendering, index + 1, tag->end, inside))
                return false;
        keep_tag(rendering, &rendering->template->tags[tag->end]);
        return true;
}

static bool render_section(struct rendering *rendering, size_t index, const struct frame *outer) {
        const struct tag *tag = &rendering->template->tags[index];
        const struct value *value;
        if (!find_variable(rendering, tag, outer, &value))
                return false;
        if (!value)
                return render_kept_section(rendering, index, outer);
        if (tag->kind == TAG_INVERTED)
                return value_truth(value) || render_range(rendering, index + 1, tag->end, outer);
        if (!value_truth(value))
                return true;
        if (value->type == VALUE_LIST)
                return render_list(rendering, index + 1, tag, value, outer);
        struct frame frame = { .value = value, .outer = outer };
        return render_range(rendering, index + 1, tag->end, &frame);
}

static bool render_range(struct rendering *rendering, size_t begin, size_t end, const struct frame *frame) {
        for (size_t i = begin; i < end; i++) {
                const struct tag *tag = &rendering->template->tags[i];
                bool ok = true;
                rendering->steps++;
                if (rendering->steps > STEPS_MAX || rendering->output->overflow)
                        return template_refuse(rendering->template, tag->offset, rendering->err,
                                               "renders to too much text");
                if (tag->kind == TAG_TEXT)
                        append_rendered(rendering, tag, tag->raw, tag->raw_size);
                else if (tag->kind == TAG_VARIABLE)
                        ok = render_variable(rendering, tag, frame);
                else if (tag->kind == TAG_SECTION || tag->kind == TAG_INVERTED)
                        ok = render_section(rendering, i, frame);
                if (!ok)
                        return false;
                if (tag->kind == TAG_SECTION || tag->kind == TAG_INVERTED)
                        i = tag->end;
        }
        return true;
}

static bool render_all(struct rendering *rendering, const struct value *scope) {
        const struct template *template = rendering->template;
        struct frame root = { .value = scope };
        if (!render_range(rendering, 0, template->count, &root))
                return false;
        settle_lone(rendering, true);
        if (rendering->output->overflow)
                return template_refuse(template, 0, rendering->err, "renders to too much text");
        if (!rendering->kept || !rendering->braces)
                return true;
        template_refuse(template, rendering->braces->offset, rendering->err,
                        "a value brings `{` or `{{` into a template that the node renders again");
        return hint(rendering->err, "give `{{`, and what only the node knows, files of their own");
}

// ---- secrets ----

// What follows the first part of a tag's name, if that is "secrets".
static bool secret_of_tag(const struct tag *tag, const char **ret, size_t *ret_size) {
        bool is_written = tag->kind != TAG_TEXT && tag->kind != TAG_COMMENT;
        if (!is_written || !part_is(tag->name, first_size(tag), TEMPLATE_SECRETS))
                return false;
        size_t skipped = size_min(strlen(TEMPLATE_SECRETS) + 1, tag->name_size);
        *ret = tag->name + skipped;
        *ret_size = tag->name_size - skipped;
        return true;
}

static bool is_guarded(const struct template *template, size_t index) {
        const struct tag *tags = template->tags;
        for (size_t i = 0; i < index; i++)
                if (tags[i].kind == TAG_SECTION && tags[i].end > index && same_name(&tags[i], &tags[index]))
                        return true;
        return false;
}

bool template_next_secret(const struct template *template, size_t *at, struct template_secret *ret) {
        for (size_t i = *at; i < template->count; i++) {
                const struct tag *tag = &template->tags[i];
                if (!secret_of_tag(tag, &ret->name, &ret->name_size))
                        continue;
                ret->offset = tag->offset;
                ret->is_needed = tag->kind == TAG_VARIABLE && !is_guarded(template, i);
                *at = i + 1;
                return true;
        }
        return false;
}

bool template_apply(const struct template *template, const struct value *scope, const char *keep,
                    struct buf *ret_output, bool *ret_kept, struct err *err) {
        assert(template && scope);
        auto_wiped output = { .max = ret_output->max }; // which may hold secrets
        struct rendering rendering = { .template = template, .keep = keep, .output = &output, .err = err };
        if (!render_all(&rendering, scope))
                return false;
        buf_append(ret_output, buf_text(&output), output.size);
        if (ret_output->overflow)
                return fail(err, ERR_TEMPLATE, 0, "%s: renders to too much text", template->name);
        if (ret_kept)
                *ret_kept = rendering.kept;
        return true;
}

bool template_render(const char *name, const char *text, size_t size, const struct value *scope, const char *keep,
                     struct buf *ret_output, bool *ret_kept, struct err *err) {
        auto_template *template = NULL;
        return template_open(name, text, size, &template, err) &&
               template_apply(template, scope, keep, ret_output, ret_kept, err);
}
