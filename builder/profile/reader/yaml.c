// SPDX-License-Identifier: MIT
#include "profile/reader/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <yaml.h>

#include "base/fs.h"
#include "base/mistake.h"

enum { SIZE_MAX_BYTES = 8 << 20, DEPTH_MAX = 48, VALUES_MAX = 500000, MERGED_KEYS_MAX = 1024 };

struct anchor {
        const char *name;
        struct value *value;
        struct place place;
        size_t weight, height; // values and levels, aliases expanded; weight 0: still open
};

struct yaml {
        yaml_parser_t parser;
        const char *name, *text;
        size_t size;
        struct arena *arena;
        struct diagnostics *diagnostics;
        struct anchor *anchors;
        size_t anchor_count;
        size_t values; // so far, aliases expanded
        bool takes_any_tag;
};

// A value while it is being read. Its weight and height are added for each alias to it, so that a small file of aliases
// to aliases ("billion laughs") is refused.
struct part {
        struct value *value;
        size_t weight, height;
};

static bool yaml_read_value(struct yaml *yaml, yaml_event_t *event, size_t depth, struct part *ret);

static struct place place_of_mark(const struct yaml *yaml, const yaml_mark_t *mark) {
        return (struct place){ yaml->name, (int)mark->line + 1, (int)mark->column + 1 };
}

static bool refuse_yaml(struct yaml *yaml, struct place place, const char *message, const char *detail) {
        report(yaml->diagnostics, ERR_SYNTAX, &place, message, detail);
        return false;
}

// Whether a tab stands where only blanks precede it.
static bool is_tab(const struct yaml *yaml, const struct place *place) {
        const char *next = yaml->text, *end = yaml->text + yaml->size;
        for (int line = 1; next && line < place->line; line++) {
                next = memchr(next, '\n', (size_t)(end - next));
                if (next)
                        next++;
        }
        return next && end - next >= place->column && next[place->column - 1] == '\t';
}

// libyaml gives a mark for what its scanner and parser refuse, and a byte offset for what its reader does.
static bool refuse_problem(struct yaml *yaml) {
        const yaml_parser_t *parser = &yaml->parser;
        struct place place = place_of_mark(yaml, &parser->problem_mark);
        if (parser->error == YAML_READER_ERROR)
                mistake_locate(yaml->text, yaml->size, parser->problem_offset, &place.line, &place.column);
        const char *problem = text_or(parser->problem, "cannot be parsed");
        if (!parser->context)
                return refuse_yaml(yaml, place, "not valid YAML: %s", problem);
        const char *where = arena_printf(yaml->arena, "%s %s (begun at line %zu)", problem, parser->context,
                                         parser->context_mark.line + 1);
        (void)!refuse_yaml(yaml, place, "not valid YAML: %s", where);
        if (is_tab(yaml, &place))
                report_hint(yaml->diagnostics, "indent with blanks: YAML forbids tabs there");
        return false;
}

static bool next_event(struct yaml *yaml, yaml_event_t *event) {
        return yaml_parser_parse(&yaml->parser, event) || refuse_problem(yaml);
}

static bool count_values(struct yaml *yaml, size_t weight, struct place place) {
        yaml->values += weight;
        return yaml->values <= VALUES_MAX ||
               refuse_yaml(yaml, place, "more than 500000 values%s", " (aliases count each time)");
}

static struct anchor *find_anchor(struct yaml *yaml, const char *name) {
        for (size_t i = yaml->anchor_count; i-- > 0;)
                if (strcmp(yaml->anchors[i].name, name) == 0)
                        return &yaml->anchors[i];
        return NULL;
}

// Returns the index + 1, because anchors move as the array grows; 0 without an anchor.
static size_t open_anchor(struct yaml *yaml, const yaml_char_t *name, struct value *value) {
        if (!name)
                return 0;
        *array_append(&yaml->anchors, &yaml->anchor_count) =
            (struct anchor){ arena_strdup(yaml->arena, (const char *)name), value, value->place, 0, 0 };
        return yaml->anchor_count;
}

static void close_anchor(struct yaml *yaml, size_t index, const struct part *part) {
        if (index == 0)
                return;
        yaml->anchors[index - 1].weight = part->weight;
        yaml->anchors[index - 1].height = part->height;
}

static bool yaml_read_alias(struct yaml *yaml, const yaml_event_t *event, size_t depth, struct part *ret) {
        const char *name = (const char *)event->data.alias.anchor;
        struct place place = place_of_mark(yaml, &event->start_mark);
        const struct anchor *anchor = find_anchor(yaml, name);
        if (!anchor) {
                struct nearest nearest = { .wanted = arena_strdup(yaml->arena, name) };
                for (size_t i = 0; i < yaml->anchor_count; i++)
                        nearest_offer(&nearest, yaml->anchors[i].name);
                refuse_yaml(yaml, place, "unknown anchor `%s`", name);
                report_nearest(yaml->diagnostics, nearest.best);
                return false;
        }
        if (anchor->weight == 0)
                return refuse_yaml(yaml, place, "the alias `%s` stands inside the value that it repeats", name);
        if (depth + anchor->height > DEPTH_MAX)
                return refuse_yaml(yaml, place, "nested too deeply through the alias `%s`", name);
        *ret = (struct part){ anchor->value, anchor->weight, anchor->height };
        return count_values(yaml, anchor->weight, place);
}

// Tags would change what a value means; only those that say what YAML assumes anyway are let through.
static bool check_tag(struct yaml *yaml, const yaml_char_t *tag, const char *const *known, struct place place) {
        if (!tag || yaml->takes_any_tag)
                return true;
        for (size_t i = 0; known[i]; i++)
                if (strcmp((const char *)tag, known[i]) == 0)
                        return true;
        return refuse_yaml(yaml, place, "the tag `%s` is not supported", (const char *)tag);
}

static bool is_null_text(const char *text) {
        static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
        for (size_t i = 0; i < lengthof(nulls); i++)
                if (strcmp(text, nulls[i]) == 0)
                        return true;
        return false;
}

static bool yaml_read_scalar(struct yaml *yaml, const yaml_event_t *event, struct part *ret) {
        static const char *const tags[] = { "!",           YAML_STR_TAG,   YAML_INT_TAG, YAML_BOOL_TAG,
                                            YAML_NULL_TAG, YAML_FLOAT_TAG, NULL };
        struct place place = place_of_mark(yaml, &event->start_mark);
        const yaml_char_t *tag = event->data.scalar.tag;
        if (!check_tag(yaml, tag, tags, place))
                return false;
        const char *text = (const char *)event->data.scalar.value;
        if (strlen(text) != event->data.scalar.length)
                return refuse_yaml(yaml, place, "a NUL character in %s", "a text");
        struct value *value = arena_alloc(yaml->arena, sizeof *value);
        bool said_text = tag && (strcmp((const char *)tag, YAML_STR_TAG) == 0 || strcmp((const char *)tag, "!") == 0);
        value->place = place;
        value->quoted = said_text || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        value->text = arena_strdup(yaml->arena, text);
        value->type = VALUE_SCALAR;
        if (!value->quoted && is_null_text(text))
                value->type = VALUE_NULL;
        *ret = (struct part){ value, 1, 1 };
        close_anchor(yaml, open_anchor(yaml, event->data.scalar.anchor, value), ret);
        return count_values(yaml, 1, place);
}

static void part_add(struct part *part, const struct part *child) {
        part->weight += child->weight;
        if (part->height < child->height + 1)
                part->height = child->height + 1;
}

static bool yaml_read_list(struct yaml *yaml, const yaml_event_t *start, size_t depth, struct part *ret) {
        static const char *const tags[] = { "!", YAML_SEQ_TAG, NULL };
        struct value *list = value_list(yaml->arena);
        list->place = place_of_mark(yaml, &start->start_mark);
        if (!check_tag(yaml, start->data.sequence_start.tag, tags, list->place) || !count_values(yaml, 1, list->place))
                return false;
        size_t anchor = open_anchor(yaml, start->data.sequence_start.anchor, list);
        *ret = (struct part){ list, 1, 1 };
        for (;;) {
                yaml_event_t event;
                if (!next_event(yaml, &event))
                        return false;
                bool end = event.type == YAML_SEQUENCE_END_EVENT;
                struct part item;
                bool ok = end || yaml_read_value(yaml, &event, depth + 1, &item);
                yaml_event_delete(&event);
                if (!ok)
                        return false;
                if (end)
                        break;
                value_append(yaml->arena, list, item.value);
                part_add(ret, &item);
        }
        close_anchor(yaml, anchor, ret);
        return true;
}

// YAML 1.1 merge: keys of the map itself win, then those of earlier merged maps.
static bool merge_map(struct yaml *yaml, struct value *map, const struct value *merged, struct place place) {
        if (merged->type != VALUE_MAP)
                return refuse_yaml(yaml, place, "`%s` wants a map or a list of maps", "<<");
        if (map->count + merged->count > MERGED_KEYS_MAX)
                return refuse_yaml(yaml, place, "`%s` in a map of more than 1024 keys", "<<");
        for (size_t i = 0; i < merged->count; i++)
                if (!value_get(map, merged->keys[i]))
                        value_append_pair(yaml->arena, map, merged->keys[i], &merged->key_places[i], merged->items[i]);
        return true;
}

static bool merge_value(struct yaml *yaml, struct value *map, const struct value *merged, struct place place) {
        if (merged->type != VALUE_LIST)
                return merge_map(yaml, map, merged, place);
        for (size_t i = 0; i < merged->count; i++)
                if (!merge_map(yaml, map, merged->items[i], place))
                        return false;
        return true;
}

struct key_order {
        const char *key;
        size_t index;
};

static int compare_keys(const void *left, const void *right) {
        const struct key_order *a = left, *b = right;
        int order = strcmp(a->key, b->key);
        if (order != 0)
                return order;
        return (a->index > b->index) - (a->index < b->index);
}

// Sorted, so that a file of a hundred thousand keys costs no more than its sorting.
static void report_duplicate_keys(struct yaml *yaml, const struct value *map) {
        auto_free struct key_order *order = xcalloc(map->count, sizeof *order);
        for (size_t i = 0; i < map->count; i++)
                order[i] = (struct key_order){ map->keys[i], i };
        qsort(order, map->count, sizeof *order, compare_keys);
        for (size_t i = 1, first = 0; i < map->count; i++) {
                if (strcmp(order[i].key, order[first].key) != 0) {
                        first = i;
                        continue;
                }
                const struct place *earlier = &map->key_places[order[first].index];
                report(yaml->diagnostics, ERR_SYNTAX, &map->key_places[order[i].index], "duplicate key `%s`",
                       order[i].key);
                report_hint(yaml->diagnostics, "it is given first at %s", place_text(yaml->arena, earlier));
        }
}

struct merge {
        struct value *value;
        struct place place;
};

static bool read_pair(struct yaml *yaml, const yaml_event_t *key, size_t depth, struct part *map, struct merge **merges,
                      size_t *merge_count) {
        struct place place = place_of_mark(yaml, &key->start_mark);
        if (key->type != YAML_SCALAR_EVENT) {
                (void)!refuse_yaml(yaml, place, "%s", "a key must be text");
                report_hint(yaml->diagnostics, "quote a text that begins with `{`: \"{{variables.name}}\"");
                return false;
        }
        struct part name, item;
        if (!yaml_read_scalar(yaml, key, &name))
                return false;
        yaml_event_t event;
        if (!next_event(yaml, &event))
                return false;
        bool ok = yaml_read_value(yaml, &event, depth + 1, &item);
        yaml_event_delete(&event);
        if (!ok)
                return false;
        part_add(map, &item);
        if (!name.value->quoted && strcmp(name.value->text, "<<") == 0)
                *array_append(merges, merge_count) = (struct merge){ item.value, place };
        else
                value_append_pair(yaml->arena, map->value, name.value->text, &place, item.value);
        return true;
}

static bool read_pairs(struct yaml *yaml, size_t depth, struct part *map, struct merge **merges, size_t *merge_count) {
        for (;;) {
                yaml_event_t event;
                if (!next_event(yaml, &event))
                        return false;
                bool end = event.type == YAML_MAPPING_END_EVENT;
                bool ok = end || read_pair(yaml, &event, depth, map, merges, merge_count);
                yaml_event_delete(&event);
                if (end || !ok)
                        return ok;
        }
}

static bool yaml_read_map(struct yaml *yaml, const yaml_event_t *start, size_t depth, struct part *ret) {
        static const char *const tags[] = { "!", YAML_MAP_TAG, NULL };
        struct value *map = value_map(yaml->arena);
        map->place = place_of_mark(yaml, &start->start_mark);
        if (!check_tag(yaml, start->data.mapping_start.tag, tags, map->place) || !count_values(yaml, 1, map->place))
                return false;
        size_t anchor = open_anchor(yaml, start->data.mapping_start.anchor, map);
        *ret = (struct part){ map, 1, 1 };
        auto_free struct merge *merges = NULL;
        size_t merge_count = 0;
        if (!read_pairs(yaml, depth, ret, &merges, &merge_count))
                return false;
        report_duplicate_keys(yaml, map);
        for (size_t i = 0; i < merge_count; i++)
                if (!merge_value(yaml, map, merges[i].value, merges[i].place))
                        return false;
        close_anchor(yaml, anchor, ret);
        return true;
}

static bool yaml_read_value(struct yaml *yaml, yaml_event_t *event, size_t depth, struct part *ret) {
        if (depth > DEPTH_MAX)
                return refuse_yaml(yaml, place_of_mark(yaml, &event->start_mark), "nested more than %s levels deep",
                                   "48");
        switch (event->type) {
        case YAML_ALIAS_EVENT:
                return yaml_read_alias(yaml, event, depth, ret);
        case YAML_SCALAR_EVENT:
                return yaml_read_scalar(yaml, event, ret);
        case YAML_SEQUENCE_START_EVENT:
                return yaml_read_list(yaml, event, depth, ret);
        case YAML_MAPPING_START_EVENT:
                return yaml_read_map(yaml, event, depth, ret);
        default:
                return refuse_yaml(yaml, place_of_mark(yaml, &event->start_mark), "%s", "a value is missing");
        }
}

// Stream start, document start, the value, document end, stream end: anything else is more than one document.
static bool read_document(struct yaml *yaml, struct part *ret) {
        bool have = false;
        for (;;) {
                yaml_event_t event;
                if (!next_event(yaml, &event))
                        return false;
                yaml_event_type_t type = event.type;
                struct place place = place_of_mark(yaml, &event.start_mark);
                bool ok = true, again = type == YAML_DOCUMENT_START_EVENT && have;
                if (again)
                        ok = refuse_yaml(yaml, place, "%s", "a second document: one file holds one");
                else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT &&
                         type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT)
                        ok = have = yaml_read_value(yaml, &event, 1, ret);
                yaml_event_delete(&event);
                if (!ok)
                        return false;
                if (type == YAML_STREAM_END_EVENT)
                        return have || refuse_yaml(yaml, (struct place){ yaml->name, 1, 1 }, "%s", "the file is empty");
        }
}

// What people take for a profile by mistake, named as what it is. Of a key no line is shown.
static bool refuse_other_format(struct yaml *yaml) {
        const struct place place = { yaml->name, 1, 1 };
        static const char key[] = "PRIVATE KEY-----";
        bool is_utf16 =
            yaml->size >= 2 && (memcmp(yaml->text, "\xFF\xFE", 2) == 0 || memcmp(yaml->text, "\xFE\xFF", 2) == 0);
        bool is_key = yaml->size > strlen(key) && strncmp(yaml->text, "-----BEGIN ", 11) == 0 &&
                      memmem(yaml->text, size_min(yaml->size, 80), key, strlen(key));
        if (is_utf16) {
                report(yaml->diagnostics, ERR_SYNTAX, &place, "the file is UTF-16, and kiln reads UTF-8");
                report_privately(yaml->diagnostics);
                report_hint(yaml->diagnostics, "iconv -f UTF-16 -t UTF-8 %s", yaml->name);
        } else if (is_key) {
                report(yaml->diagnostics, ERR_SYNTAX, &place, "the file is a private key, and no profile");
                report_privately(yaml->diagnostics);
        }
        return is_utf16 || is_key;
}

static struct value *parse_yaml(struct yaml *yaml) {
        diagnostics_add_source(yaml->diagnostics, yaml->name, yaml->text, yaml->size);
        if (yaml->size > SIZE_MAX_BYTES) {
                report(yaml->diagnostics, ERR_SYNTAX, &(struct place){ yaml->name, 0, 0 }, "larger than 8 MiB");
                return NULL;
        }
        if (refuse_other_format(yaml))
                return NULL;
        if (!yaml_parser_initialize(&yaml->parser))
                abort(); // only when memory is out
        yaml_parser_set_encoding(&yaml->parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&yaml->parser, (const unsigned char *)yaml->text, yaml->size);
        struct part root = { 0 };
        bool ok = read_document(yaml, &root);
        yaml_parser_delete(&yaml->parser);
        free(yaml->anchors);
        if (!ok)
                return NULL;
        return root.value;
}

struct value *yaml_parse(const char *name, const char *text, size_t size, struct arena *arena,
                         struct diagnostics *diagnostics) {
        struct yaml yaml = { .name = name, .text = text, .size = size, .arena = arena, .diagnostics = diagnostics };
        return parse_yaml(&yaml);
}

struct value *yaml_parse_any_tag(const char *name, const char *text, size_t size, struct arena *arena,
                                 struct diagnostics *diagnostics) {
        struct yaml yaml = { .name = name,
                             .text = text,
                             .size = size,
                             .arena = arena,
                             .diagnostics = diagnostics,
                             .takes_any_tag = true };
        return parse_yaml(&yaml);
}

static bool read_yaml(const char *real, struct buf *text, struct err *err) {
        if (real[0] == '/')
                return fs_read_resolved(real, text, err);
        return fs_read(AT_FDCWD, real, text, err); // what could not be resolved is absent
}

struct value *yaml_load(const char *path, const char *real, const struct place *from, struct arena *arena,
                        struct diagnostics *diagnostics) {
        auto_buf text = { .max = SIZE_MAX_BYTES + (64 << 10) };
        auto_err err = { 0 };
        if (!read_yaml(real, &text, &err)) {
                report(diagnostics, err.number == ENOENT ? ERR_REFERENCE : ERR_SYSTEM, from, "cannot read `%s`: %s",
                       path, strerror(err.number));
                return NULL;
        }
        const char *kept = arena_strndup(arena, buf_text(&text), 0);
        if (text.size > 0)
                kept = memcpy(arena_alloc(arena, text.size + 1), text.data, text.size);
        return yaml_parse(arena_strdup(arena, path), kept, text.size, arena, diagnostics);
}
