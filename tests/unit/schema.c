// SPDX-License-Identifier: MIT
// The engine behind the tables: values into structs, defaults, JSON Schema and reference from the same rows.
#include "profile/reader/schema.h"

#include <jansson.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "profile/profile.h"
#include "profile/reader/yaml.h"
#include "tests/unit/test.h"

struct inner {
        struct place place;
        const char *name;
        int mode;
};

struct outer {
        struct place place;
        const char *text, *word;
        bool yes;
        int maybe, number, choice, mode, depth;
        int64_t id;
        struct strings list;
        struct in_addr address;
        struct inner *rows;
        size_t row_count;
        const struct value *tree;
};

static const char *const words[] = { "red", "green", NULL };
static const struct schema_field inner_rows[] = {
        { "name", "its name", &type_text, MEMBER(inner, name), .required = true },
        { "mode", "its mode", &type_mode, MEMBER(inner, mode), .fallback = "0755" },
};
static const struct schema inner_table = SCHEMA(inner, inner_rows, "a row", "a row of the test");
static const struct schema_field part_rows[] = {
        { "depth", "a number below", &type_integer, MEMBER(outer, depth), .fallback = "7" },
};
static const struct schema part_table = SCHEMA_PART(part_rows, "`part`", "a part");
static const struct schema_field outer_rows[] = {
        { "text", "a text", &type_text, MEMBER(outer, text), .required = true },
        { "word", "a colour", &type_text, MEMBER(outer, word), .fallback = "red", .choices = words },
        { "yes", "a truth", &type_bool, MEMBER(outer, yes), .fallback = "true" },
        { "maybe", "a truth or nothing", &type_optional_bool, MEMBER(outer, maybe) },
        { "number", "a number", &type_integer, MEMBER(outer, number), .min = -5, .max = 5 },
        { "choice", "a choice", &type_choice, MEMBER(outer, choice), .choices = words },
        { "mode", "a mode", &type_mode, MEMBER(outer, mode) },
        { "id", "an id", &type_id, MEMBER(outer, id) },
        { "list", "a list", &type_texts, MEMBER(outer, list), .or_one = true, .pattern = "^[a-z]+$",
          .pattern_means = "lower-case letters" },
        { "address", "an address", &type_address, MEMBER(outer, address) },
        { "rows", "rows", &type_tables, MEMBERS(outer, rows, row_count), .table = &inner_table },
        { "part", "a part", &type_table, .table = &part_table },
        { "tree", "anything", &type_tree, MEMBER(outer, tree) },
};
static const struct schema outer_table = SCHEMA(outer, outer_rows, "the test", "A file of the test.");

static struct arena arena;

static bool read_text(const char *text, struct outer *outer, struct err *err) {
        auto_diagnostics diagnostics = { .arena = &arena };
        struct schema_reader reader = { &arena, &diagnostics };
        struct value *tree = yaml_parse("f", text, strlen(text), &arena, &diagnostics);
        if (tree)
                schema_read(&reader, &outer_table, tree, outer);
        return diagnostics_finish(&diagnostics, err);
}

static void fills_structs(void) {
        struct outer outer = { 0 };
        EXPECT_OK(read_text(
            "text: 0123\nword: green\nyes: Off\nmaybe: no\nnumber: -5\nchoice: green\nmode: 1777\nid: 4294967\n"
            "list: [a, b]\naddress: 1.2.3.4\nrows: [{name: x, mode: '0600'}, {name: y}]\n"
            "part: {depth: 9}\ntree: {x: [1]}\n",
            &outer, err));
        EXPECT_TEXT(outer.text, "0123");
        EXPECT_TEXT(outer.word, "green");
        EXPECT(!outer.yes && outer.maybe == 0 && outer.number == -5 && outer.choice == 1 && outer.mode == 01777);
        EXPECT(outer.id == 4294967 && outer.list.count == 2 && outer.address.s_addr == htonl(0x01020304));
        EXPECT(outer.row_count == 2 && outer.rows);
        if (!outer.rows)
                return;
        EXPECT(outer.rows[0].mode == 0600 && outer.rows[1].mode == 0755);
        EXPECT(outer.rows[1].place.line == 11 && outer.depth == 9 && value_get(outer.tree, "x") != NULL);
        EXPECT_TEXT(outer.rows[1].name, "y");
}

static void fills_in_defaults(void) {
        struct outer outer = { .number = 42 };
        EXPECT_OK(read_text("{text: t, list: one, number: , rows: }", &outer, err));
        EXPECT_TEXT(outer.word, "red");
        EXPECT(outer.yes && outer.maybe == -1 && outer.number == 42 && outer.mode == -1 && outer.id == -1);
        EXPECT(outer.depth == 7 && outer.row_count == 0 && outer.tree == NULL);
        EXPECT(outer.list.count == 1);
}

static void reads_modes_as_octal(void) {
        static const struct {
                const char *text;
                int mode;
        } samples[] = { { "0644", 0644 },  { "644", 0644 }, { "'0644'", 0644 }, { "0o644", 0644 }, { "0", 0 },
                        { "7777", 07777 }, { "8", -2 },     { "10000", -2 },    { "-1", -2 },      { "rw", -2 },
                        { "[6]", -2 },     { "0x1", -2 },   { "''", -2 } };
        for (size_t i = 0; i < lengthof(samples); i++) {
                struct outer outer = { .mode = -2 };
                auto_err err = { 0 };
                auto_free char *text = xasprintf("{text: t, mode: %s}", samples[i].text);
                EXPECT(read_text(text, &outer, &err) == (samples[i].mode != -2));
                EXPECT(outer.mode == samples[i].mode);
        }
}

// All of them, in the order of the rows, unknown keys of a map first.
static void reports_everything_at_once(void) {
        struct outer outer = { 0 };
        auto_err err = { 0 };
        EXPECT(!read_text("txet: 1\nword: blue\nyes: 1\nnumber: 6\nlist: [a, B, c, {}]\nrows: [{mode: 1}, x]\n"
                          "part: {dept: 1}\n",
                          &outer, &err));
        EXPECT(err.kind == ERR_SCHEMA);
        EXPECT_TEXT(
            err.text,
            "f:1:1: unknown key `txet` in the test\n    txet: 1\n    ^\n    hint: did you mean `text`?\n"
            "f:1:1: the test needs `text`, a text\n    txet: 1\n    ^\n"
            "f:2:7: `word` must be `red` or `green`, not `blue`\n    word: blue\n          ^\n"
            "f:3:6: `yes` must be `true` or `false`, not `1`\n    yes: 1\n         ^\n"
            "f:4:9: `number` must be from -5 to 5, not 6\n    number: 6\n            ^\n"
            "f:5:11: `list` must be lower-case letters, not `B`\n    list: [a, B, c, {}]\n              ^\n"
            "f:5:17: `list` must be a list of texts, not a map\n    list: [a, B, c, {}]\n                    ^\n"
            "f:6:8: a row needs `name`, a text\n    rows: [{mode: 1}, x]\n           ^\n"
            "f:6:19: a row must be a map, not `x`\n    rows: [{mode: 1}, x]\n                      ^\n"
            "f:7:8: unknown key `dept` in `part`\n    part: {dept: 1}\n           ^\n    hint: did you mean `depth`?");
        EXPECT_TEXT(outer.text, "");
        EXPECT_TEXT(outer.word, "");
        EXPECT(outer.rows && outer.list.count == 2);
        if (!outer.rows)
                return;
        EXPECT_TEXT(outer.rows[0].name, "");
        EXPECT_TEXT(outer.rows[1].name, "");
}

static void bounds_the_report(void) {
        auto_buf text = { 0 };
        buf_append_text(&text, "text: x\n");
        for (int i = 0; i < 150; i++)
                buf_printf(&text, "unknown%d: 1\n", i);
        struct outer outer = { 0 };
        auto_err err = { 0 };
        EXPECT(!read_text(buf_text(&text), &outer, &err));
        EXPECT(strstr(err.text, "unknown99`") && !strstr(err.text, "unknown100`") && strstr(err.text, "\nand 50 more"));
}

static void plain_paths(void) {
        EXPECT(image_path_is_plain("/a") && image_path_is_plain("/a/b.c/..d") && image_path_is_plain("/a/.b"));
        EXPECT(!image_path_is_plain("/") && !image_path_is_plain("") && !image_path_is_plain("a") &&
               !image_path_is_plain("/a/") && !image_path_is_plain("//a"));
        EXPECT(!image_path_is_plain("/a/./b") && !image_path_is_plain("/a/..") && !image_path_is_plain("/../a") &&
               !image_path_is_plain("/a\nb"));
}

static void writes_json_schema(void) {
        auto_free char *text = schema_to_json(&outer_table, "test", "test");
        json_t *root = json_loads(text, 0, NULL);
        EXPECT(root != NULL);
        json_t *rows = json_object_get(root, "properties");
        EXPECT(json_object_size(rows) == lengthof(outer_rows));
        EXPECT(json_is_false(json_object_get(root, "additionalProperties")));
        EXPECT_TEXT(json_string_value(json_array_get(json_object_get(root, "required"), 0)), "text");
        json_t *number = json_object_get(rows, "number");
        EXPECT(json_integer_value(json_object_get(number, "minimum")) == -5);
        EXPECT_TEXT(json_string_value(json_object_get(number, "description")), "a number");
        EXPECT(json_array_size(json_object_get(json_object_get(rows, "word"), "enum")) == 2);
        json_t *items = json_object_get(json_object_get(rows, "rows"), "items");
        EXPECT(json_is_object(json_object_get(json_object_get(items, "properties"), "name")));
        json_decref(root);
}

static void writes_all_kinds(void) {
        static const char *const kinds[] = { "cluster", "release", "role" };
        for (size_t i = 0; i < lengthof(kinds); i++) {
                auto_free char *text = profile_json_schema(kinds[i]);
                json_t *root = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
                EXPECT(json_object_size(json_object_get(root, "properties")) > 8);
                json_decref(root);
                auto_free char *reference = profile_reference(kinds[i]);
                EXPECT(reference && strlen(reference) > 500);
        }
        EXPECT(profile_json_schema("node") == NULL && profile_reference("") == NULL);
        auto_free char *reference = profile_reference("cluster");
        EXPECT(strstr(
            reference,
            "nodes[].id\n    id in the ensemble (ZooKeeper's myid); never change it (a whole number, 1 to 255)\n"));
}

int main(void) {
        RUN(fills_structs);
        RUN(fills_in_defaults);
        RUN(reads_modes_as_octal);
        RUN(reports_everything_at_once);
        RUN(bounds_the_report);
        RUN(plain_paths);
        RUN(writes_json_schema);
        RUN(writes_all_kinds);
        arena_release(&arena);
        return test_done();
}
