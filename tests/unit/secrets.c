// SPDX-License-Identifier: MIT
// kiln.secrets: what a person may write, what is refused, and that no message has a value.
#include "tests/unit/test.h"

#include "shared/secrets.h"
#include "shared/template.h"

static bool parse(const char *text, struct secrets *ret) {
        struct err err = { 0 };
        bool ok = secrets_parse(text, strlen(text), ret, &err);
        if (!ok)
                printf("# %s\n", err.text);
        err_release(&err);
        return ok;
}

static void lines_and_blocks_are_read(void) {
        auto_secrets secrets = { 0 };
        EXPECT(parse("# a comment\n"
                     "\n"
                     "  # another\n"
                     "password=aB3 x#\"y'=<<z\n"
                     "key<<END\n"
                     "-----BEGIN-----\n"
                     "\n"
                     "END2\n"
                     "END\n"
                     "last=1",
                     &secrets));
        EXPECT(secrets.count == 3);
        EXPECT_TEXT(secrets_value(&secrets, "password"), "aB3 x#\"y'=<<z");
        EXPECT_TEXT(secrets_value(&secrets, "key"), "-----BEGIN-----\n\nEND2");
        EXPECT_TEXT(secrets_value(&secrets, "last"), "1");
        EXPECT(!secrets_value(&secrets, "pass"));
}

static void files_of_windows_are_read(void) {
        auto_secrets secrets = { 0 };
        EXPECT(parse("\xef\xbb\xbfone=1\r\ntwo<<E\r\na\r\nb\r\nE\r\n", &secrets));
        EXPECT_TEXT(secrets_value(&secrets, "one"), "1");
        EXPECT_TEXT(secrets_value(&secrets, "two"), "a\nb");
}

// The value of each is `hunter2`: it must not be in the message.
static void mistakes_are_told_by_line_without_the_value(void) {
        static const struct {
                const char *text, *says;
        } cases[] = {
                { "\nhunter2\n", "line 2: neither" },
                { "a =hunter2\n", "line 1: the name" },
                { "hunter2 x=hunter2\n", "line 1: the name" },
                { "a= hunter2\n", "line 1: a blank" },
                { "a=hunter2 \n", "line 1: a blank" },
                { "a=\n", "line 1: no value" },
                { "a<<END\nEND\n", "line 1: no value" },
                { "a<<END\nhunter2\n\nEND\n", "line 4: the value ends with an empty line" },
                { "b=1\na<<END\nhunter2\n", "line 2: the value that begins here has no end" },
                { "a<<\nhunter2\n", "line 1: `<<` needs a word" },
                { "a<<hunter2 hunter2\nx\n", "line 1: `<<` needs a word" },
                { "a=x\na=hunter2\n", "line 2: the name was given before" },
                { "1a=hunter2\n", "line 1: the name" },
                { "a=x\nb=hunter2\x1b[2J\n", "line 2: a control character" },
                { "a=hunter2\rb=x\n", "line 1: a control character" },
                { "a<hunter2\n", "line 1: neither" },
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                auto_secrets secrets = { 0 };
                struct err err = { 0 };
                EXPECT(!secrets_parse(cases[i].text, strlen(cases[i].text), &secrets, &err));
                EXPECT(err.kind == ERR_SYNTAX && strstr(err.text, cases[i].says) && !strstr(err.text, "hunter2"));
                if (!err.text || !strstr(err.text, cases[i].says))
                        printf("# %zu: %s\n", i, err.text ? err.text : "(accepted)");
                err_release(&err);
        }
        auto_secrets secrets = { 0 };
        struct err err = { 0 };
        EXPECT(!secrets_parse("a=1\0b\n", 6, &secrets, &err) && strstr(err.text, "line 1: a control character"));
        err_release(&err);
}

static void sizes_have_limits(void) {
        auto_buf large = { 0 }, many = { 0 }, name = { 0 };
        auto_secrets secrets = { 0 }, too_many = { 0 };
        struct err err = { 0 };
        buf_append_text(&large, "a=");
        while (large.size <= SECRETS_FILE_MAX_BYTES)
                buf_append_char(&large, 'x');
        EXPECT(!secrets_parse(buf_text(&large), large.size, &secrets, &err) && strstr(err.text, "65537 bytes"));
        err_release(&err);
        for (int i = 0; i <= SECRETS_MAX; i++)
                buf_printf(&many, "a%d=x\n", i);
        EXPECT(!secrets_parse(buf_text(&many), many.size, &too_many, &err) && strstr(err.text, "line 257: more than"));
        err_release(&err);
        while (name.size < SECRET_NAME_MAX)
                buf_append_char(&name, 'n');
        EXPECT(secret_name_is_valid(buf_text(&name)));
        buf_append_char(&name, 'n');
        EXPECT(!secret_name_is_valid(buf_text(&name)));
        EXPECT(!secret_name_is_valid("") && !secret_name_is_valid("a-b") && !secret_name_is_valid("../x"));
}

static void what_is_written_is_read_again(void) {
        static const char *const values[] = { "plain",      " blank before", "tab\t",
                                              "two\nlines", "END",           "x\nEND\ny\nEND2\nz" };
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
                auto_buf text = { 0 };
                auto_secrets secrets = { 0 };
                secret_format("name", values[i], &text);
                EXPECT(parse(buf_text(&text), &secrets));
                EXPECT_TEXT(secrets_value(&secrets, "name"), values[i]);
        }
        struct err err = { 0 };
        EXPECT(!secret_value_check("", 0, &err) && !secret_value_check("a\n", 2, &err));
        EXPECT(!secret_value_check("a\0b", 3, &err) && !secret_value_check("a\x1b", 2, &err));
        err_release(&err);
}

// ---- in templates ----

static void templates_keep_secrets_for_the_node(void) {
        struct arena arena = { 0 };
        auto_buf left = { 0 }, text = { 0 };
        bool kept = false;
        struct value *scope = value_map(&arena), *secrets = value_map(&arena), *node = value_map(&arena);
        static const char template[] =
            "user {{user}}\npass {{secrets.pass}}\n{{#secrets.more}}\nmore {{.}}\n{{/secrets.more}}\n";
        value_set(&arena, scope, "user", value_scalar(&arena, "u"));
        EXPECT_OK(template_render("t", template, strlen(template), scope, TEMPLATE_NODE_NAMES, &left, &kept, err));
        EXPECT(kept);
        EXPECT_TEXT(buf_text(&left),
                    "user u\npass {{secrets.pass}}\n{{#secrets.more}}\nmore {{.}}\n{{/secrets.more}}\n");
        value_set(&arena, node, "secrets", secrets);
        value_set(&arena, secrets, "pass", value_scalar(&arena, "{{x}}"));
        value_set(&arena, secrets, "more", arena_alloc(&arena, sizeof(struct value)));
        EXPECT_OK(template_render("t", buf_text(&left), left.size, node, NULL, &text, NULL, err));
        EXPECT_TEXT(buf_text(&text), "user u\npass {{x}}\n");
        arena_release(&arena);
}

static void what_a_template_needs_is_known(void) {
        static const char text[] =
            "{{a}} {{secrets.one}} {{#secrets.two}}{{secrets.two}}{{secrets.three}}{{/secrets.two}}"
            "{{^secrets.four}}none{{/secrets.four}}{{#a}}{{{ secrets.five }}}{{/a}}{{#secrets}}{{/secrets}}"
            "{{! secrets.six }}{{secretss.x}}{{node.secrets}}";
        auto_template *template = NULL;
        auto_buf found = { 0 };
        struct template_secret secret;
        size_t at = 0;
        EXPECT_OK(template_open("t", text, strlen(text), &template, err));
        while (template && template_next_secret(template, &at, &secret))
                buf_printf(&found, "%.*s%s ", (int)secret.name_size, secret.name, secret.is_needed ? "!" : "");
        EXPECT_TEXT(buf_text(&found), "one! two two three! two four four five!   ");
}

static void secrets_are_told_to_be_the_nodes(void) {
        struct arena arena = { 0 };
        struct value *scope = value_map(&arena);
        auto_buf output = { 0 };
        struct err err = { 0 };
        static const char text[] = "x\n {{secrets.pass}}\n";
        EXPECT(!template_render("ks", text, strlen(text), scope, NULL, &output, NULL, &err));
        EXPECT(err.kind == ERR_TEMPLATE && strstr(err.text, "ks:2:2: unknown variable `secrets.pass`"));
        EXPECT(err.hint && strstr(err.hint, "known on the node alone"));
        err_release(&err);
        arena_release(&arena);
}

int main(void) {
        RUN(lines_and_blocks_are_read);
        RUN(files_of_windows_are_read);
        RUN(mistakes_are_told_by_line_without_the_value);
        RUN(sizes_have_limits);
        RUN(what_is_written_is_read_again);
        RUN(templates_keep_secrets_for_the_node);
        RUN(what_a_template_needs_is_known);
        RUN(secrets_are_told_to_be_the_nodes);
        return test_done();
}
