// SPDX-License-Identifier: MIT
// YAML to trees with places; what is wrong with it; what is too much.
#include "profile/reader/yaml.h"

#include <unistd.h>

#include "base/buf.h"
#include "tests/unit/test.h"

static struct arena arena;

static struct value *parse(const char *text, struct err *err) {
        auto_diagnostics diagnostics = { .arena = &arena };
        struct value *value = yaml_parse("f.yaml", text, strlen(text), &arena, &diagnostics);
        return diagnostics_finish(&diagnostics, err) ? value : NULL;
}

static struct value *good(const char *text) {
        auto_err err = { 0 };
        struct value *value = parse(text, &err);
        if (!value)
                printf("# %s\n", err.text);
        EXPECT(value != NULL);
        return value ? value : value_map(&arena);
}

static void bad(const char *text, const char *want) {
        auto_err err = { 0 };
        EXPECT(parse(text, &err) == NULL);
        EXPECT(err.kind == ERR_SYNTAX);
        EXPECT(err.text && strncmp(err.text, want, strlen(want)) == 0);
        if (!err.text || strncmp(err.text, want, strlen(want)) != 0)
                printf("# got %s\n# want %s\n", err.text, want);
}

static void reads_trees_with_places(void) {
        struct value *root = good("# c\na: 1\nb:\n  - x\n  - {k: 'v', n: }\nc: \"q\"\n");
        EXPECT(root->type == VALUE_MAP && root->count == 3 && root->place.line == 2 && root->place.column == 1);
        EXPECT(root->key_places[1].line == 3 && root->key_places[1].column == 1);
        struct value *a = value_get(root, "a"), *b = value_get(root, "b"), *c = value_get(root, "c");
        EXPECT_TEXT(a->text, "1");
        EXPECT(!a->quoted && a->place.line == 2 && a->place.column == 4);
        EXPECT(b->type == VALUE_LIST && b->count == 2 && b->items[0]->place.line == 4 &&
               b->items[0]->place.column == 5);
        EXPECT(value_get(b->items[1], "k")->quoted);
        EXPECT(value_get(b->items[1], "n")->type == VALUE_NULL);
        EXPECT(c->quoted);
        EXPECT_TEXT(c->place.file, "f.yaml");
}

static void tells_null_from_text(void) {
        struct value *list = good("[~, null, NULL, 'null', \"\", !!str null, nil, 0]");
        EXPECT(list->items[0]->type == VALUE_NULL && list->items[1]->type == VALUE_NULL &&
               list->items[2]->type == VALUE_NULL);
        for (size_t i = 3; i < list->count; i++)
                EXPECT(list->items[i]->type == VALUE_SCALAR);
        EXPECT(list->items[5]->quoted);
        EXPECT(good("---\n...\n")->type == VALUE_NULL);
        EXPECT(good("{\"json\": [1, true, null]}")->count == 1);
}

static void aliases_and_merges_work(void) {
        struct value *root =
            good("base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\n"
                 "one: {<<: *b, y: 9}\ntwo:\n  <<: [*b, *o]\n  w: 0\nthree: *b\nfour: {'<<': literal}\n");
        EXPECT_TEXT(value_get(value_get(root, "one"), "x")->text, "1");
        EXPECT_TEXT(value_get(value_get(root, "one"), "y")->text, "9");
        EXPECT(value_get(root, "one")->count == 2);
        EXPECT_TEXT(value_get(value_get(root, "two"), "y")->text, "2");
        EXPECT_TEXT(value_get(value_get(root, "two"), "z")->text, "4");
        EXPECT(value_get(root, "three") == value_get(root, "base"));
        EXPECT_TEXT(value_get(value_get(root, "four"), "<<")->text, "literal");
        // An anchor may be given again; aliases mean the latest before them.
        EXPECT_TEXT(good("[&a 1, &a 2, *a]")->items[2]->text, "2");
}

static void refuses_what_is_no_yaml(void) {
        bad("a: [1, 2\nb: 3\n", "f.yaml:2:2: not valid YAML: ");
        bad("a: 'x\n", "f.yaml:2:1: not valid YAML: found unexpected end of stream while scanning a quoted scalar "
                       "(begun at line 1)");
        bad("a:\n\t- b\n", "f.yaml:2:1: not valid YAML: ");
        bad("a: b: c\n",
            "f.yaml:1:5: not valid YAML: mapping values are not allowed in this context\n    a: b: c\n        ^");
        bad("", "f.yaml:1:1: the file is empty");
        bad("# nothing\n", "f.yaml:1:1: the file is empty");
        bad("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document: one file holds one\n    ---\n    ^");
        bad("a: 1\nb: \xff\n", "f.yaml:2:4: not valid YAML: ");
        bad("a: \"\\0\"\n", "f.yaml:1:4: a NUL character");
        bad("? [x]\n: 1\n", "f.yaml:1:3: a key must be text");
        bad("a: *b\n", "f.yaml:1:4: unknown anchor `b`");
        bad("base: &base 1\na: *bsae\n",
            "f.yaml:2:4: unknown anchor `bsae`\n    a: *bsae\n       ^\n    hint: did you mean `base`?");
        bad("a: &x [*x]\n", "f.yaml:1:8: the alias `x` stands inside the value that it repeats");
        bad("a: !ruby/object:X {}\n", "f.yaml:1:4: the tag `!ruby/object:X` is not supported");
        bad("a: !!binary aGk=\n", "f.yaml:1:4: the tag");
        bad("a: {<<: 5}\n", "f.yaml:1:5: `<<` wants a map");
}

static void shows_both_duplicate_keys(void) {
        bad("a: 1\nb: 2\na: 3\n",
            "f.yaml:3:1: duplicate key `a`\n    a: 3\n    ^\n    hint: it is given first at f.yaml:1:1");
        auto_err err = { 0 };
        EXPECT(parse("{x: {k: 1, k: 2, k: 3}, y: {j: 1, \"j\": 2}}", &err) == NULL);
        EXPECT(strstr(err.text, "f.yaml:1:12: duplicate key `k`") &&
               strstr(err.text, "f.yaml:1:18: duplicate key `k`"));
        EXPECT(strstr(err.text, "f.yaml:1:35: duplicate key `j`") && strstr(err.text, "first at f.yaml:1:29"));
}

static void bounds_hostile_input(void) {
        auto_buf deep = { 0 };
        for (int i = 0; i < 5000; i++)
                buf_append_char(&deep, '[');
        bad(buf_text(&deep), "f.yaml:1:49: nested more than 48 levels deep");
        // Nine levels of ten aliases each: a billion values if they were copied.
        auto_buf bomb = { 0 };
        buf_append_text(&bomb, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for (int i = 1; i < 10; i++) {
                buf_printf(&bomb, "a%d: &a%d [", i, i);
                for (int j = 0; j < 10; j++)
                        buf_printf(&bomb, "%s*a%d", j ? "," : "", i - 1);
                buf_append_text(&bomb, "]\n");
        }
        auto_err err = { 0 };
        EXPECT(parse(buf_text(&bomb), &err) == NULL && err.kind == ERR_SYNTAX);
        EXPECT(err.text && strstr(err.text, "more than 500000 values"));
        // Aliases to aliases: deep without being wide.
        auto_buf chain = { 0 };
        buf_append_text(&chain, "- &a0 [x]\n");
        for (int i = 1; i < 60; i++)
                buf_printf(&chain, "- &a%d [*a%d]\n", i, i - 1);
        auto_err chain_err = { 0 };
        EXPECT(parse(buf_text(&chain), &chain_err) == NULL);
        EXPECT(chain_err.text && strstr(chain_err.text, "nested too deeply through the alias"));
        auto_buf wide = { 0 };
        for (int i = 0; i < 40000; i++)
                buf_printf(&wide, "k%d: %d\n", i, i);
        EXPECT(good(buf_text(&wide))->count == 40000);
}

static void reads_files(void) {
        auto_diagnostics diagnostics = { .arena = &arena };
        struct place place = { "asker.yaml", 0, 0 };
        EXPECT(yaml_load("/nonexistent/x.yaml", "/nonexistent/x.yaml", &place, &arena, &diagnostics) == NULL);
        EXPECT(yaml_load("/", "/", NULL, &arena, &diagnostics) == NULL);
        auto_err err = { 0 };
        EXPECT(!diagnostics_finish(&diagnostics, &err) && err.kind == ERR_REFERENCE);
        EXPECT(strstr(err.text, "asker.yaml: cannot read `/nonexistent/x.yaml`: No such file") != NULL);
}

int main(void) {
        RUN(reads_trees_with_places);
        RUN(tells_null_from_text);
        RUN(aliases_and_merges_work);
        RUN(refuses_what_is_no_yaml);
        RUN(shows_both_duplicate_keys);
        RUN(bounds_hostile_input);
        RUN(reads_files);
        arena_release(&arena);
        return test_done();
}
