// SPDX-License-Identifier: MIT
// Mustache: what the specification says, two phases, and mistakes with their places.
#include "shared/template.h"

#include <stdlib.h>

#include "profile/reader/yaml.h"
#include "tests/unit/test.h"

static struct value *scope_of(struct arena *arena, const char *yaml) {
        auto_diagnostics diagnostics = { .arena = arena };
        struct value *scope = yaml_parse("scope", yaml, strlen(yaml), arena, &diagnostics);
        return scope ? scope : value_map(arena);
}

static const char scope_text[] =
    "{name: kiln, empty: '', yes: true, no: false, nothing: null, quoted: 'false', zero: 0, html: '<&>\"',\n"
    " map: {a: A, deep: {b: B}, none: {}}, list: [{n: 1}, {n: 2, name: own}, {n: 3}], texts: [x, y], nil: [],\n"
    " lists: [[1, 2], [3]], one: [{n: 9}], nested: [{in: [p, q]}, {in: [r]}],\n"
    " items: [{node: theirs}], first: F}";

// Renders with the scope above; the result is either the text or the error's, which `*ret_ok` tells.
static char *rendered(const char *text, const char *keep, bool *ret_ok, bool *ret_kept, char **ret_hint) {
        struct arena arena = { 0 };
        auto_buf output = { 0 };
        auto_err err = { 0 };
        *ret_ok = template_render("t", text, strlen(text), scope_of(&arena, scope_text), keep, &output, ret_kept, &err);
        arena_release(&arena);
        if (ret_hint)
                *ret_hint = err.hint ? xstrdup(err.hint) : NULL;
        if (!*ret_ok && err.kind != ERR_TEMPLATE)
                printf("# kind %s\n", err_kind_name(err.kind));
        return *ret_ok ? buf_take(&output) : xstrdup(err.text);
}

struct sample {
        const char *text, *want;
};

static void check_samples(const struct sample *samples, size_t count, const char *keep) {
        for (size_t i = 0; i < count; i++) {
                bool ok, kept = false;
                auto_free char *got = rendered(samples[i].text, keep, &ok, &kept, NULL);
                if (!ok)
                        printf("# sample %zu: %s\n", i, samples[i].text);
                EXPECT(ok);
                EXPECT_TEXT(got, samples[i].want);
        }
}

static void interpolates(void) {
        static const struct sample samples[] = {
                { "", "" },
                { "plain } text { and {x}\n", "plain } text { and {x}\n" },
                { "{{name}}", "kiln" },
                { "| {{ name }} |", "| kiln |" },
                { "{{\tname\n}}", "kiln" },
                { "{{{name}}} {{&name}} {{& name }} {{{ name }}}", "kiln kiln kiln kiln" },
                { "{{html}}", "<&>\"" },
                { "{{empty}}|{{nothing}}|{{zero}}|{{no}}", "||0|false" },
                { "{{map.a}} {{map.deep.b}}", "A B" },
                { "{ {{name}} }", "{ kiln }" },
                { "{{name}}}", "kiln}" },
                { "  {{name}}\n", "  kiln\n" }, // interpolations are never standalone
                { "{{! a comment }}x{{!}}", "x" },
                { "a {{! {{name }} }}b", "a  }}b" },
        };
        check_samples(samples, lengthof(samples), NULL);
}

static void renders_sections(void) {
        static const struct sample samples[] = {
                { "{{#yes}}x{{/yes}}{{#no}}y{{/no}}{{#nothing}}z{{/nothing}}{{#empty}}e{{/empty}}", "x" },
                { "{{^yes}}x{{/yes}}{{^no}}y{{/no}}{{^nothing}}z{{/nothing}}{{^nil}}n{{/nil}}{{^list}}l{{/list}}",
                  "yzn" },
                { "{{#quoted}}text is true{{/quoted}}{{#zero}}0{{/zero}}", "text is true0" },
                { "{{#list}}{{n}}{{/list}}", "123" },
                { "{{#list}}{{n}}={{name}};{{/list}}", "1=kiln;2=own;3=kiln;" },
                { "{{#list}}{{n}}{{^last}},{{/last}}{{/list}}", "1,2,3" },
                { "{{#texts}}{{#first}}<{{/first}}{{.}}{{#last}}>{{/last}}{{/texts}}", "<xy>" },
                { "{{#one}}{{first}}{{last}}{{n}}{{/one}}", "truetrue9" },
                { "{{first}}", "F" },
                { "{{#lists}}[{{#.}}{{.}}{{^last}},{{/last}}{{/.}}]{{/lists}}", "[1,2][3]" },
                { "{{#nested}}{{#in}}{{.}}{{#last}}!{{/last}}{{/in}}{{^last}}/{{/last}}{{/nested}}", "pq!/r!" },
                { "{{#map}}{{a}}{{#deep}}{{b}}{{a}}{{/deep}}{{name}}{{/map}}", "ABAkiln" },
                { "{{#map.deep}}{{b}}{{/map.deep}}", "B" },
                { "{{#name}}{{.}}{{/name}}", "kiln" },
                { "{{#map.none}}x{{/map.none}}", "x" },
                { "{{# yes }}a{{/ yes }}", "a" },
                { "{{#yes}}{{#yes}}x{{/yes}}{{/yes}}", "x" },
                { "{{#nil}}{{unknown.in.dead.code}}{{/nil}}", "" },
        };
        check_samples(samples, lengthof(samples), NULL);
}

// The specification's rules for tags that have a line of their own.
static void removes_standalone_lines(void) {
        static const struct sample samples[] = {
                { "a\n{{#yes}}\nb\n{{/yes}}\nc\n", "a\nb\nc\n" },
                { "a\n  {{#yes}}  \nb\n\t{{/yes}}\t\nc", "a\nb\nc" },
                { "a\r\n{{#yes}}\r\nb\r\n{{/yes}}\r\nc", "a\r\nb\r\nc" },
                { "  {{#yes}}\nx{{/yes}}\n", "x\n" },
                { "x{{#yes}}\n{{/yes}}\ny", "x\ny" },
                { "{{#yes}}\nx\n  {{/yes}}", "x\n" },
                { " | {{#yes}}\t|\t{{/yes}} | \n", " | \t|\t | \n" },
                { " {{#yes}} {{! two tags }}\n {{/yes}} \n", "  \n" },
                { "a\n{{! comment }}\nb", "a\nb" },
                { "a\n  {{! two\nlines }}  \nb", "a\nb" },
                { "a {{! inline }}\nb", "a \nb" },
                { "{{! only }}", "" },
                { "{{! first }}\nx", "x" },
                { "x\n  {{! last }}", "x\n" },
                { "{{^no}}\nb\n{{/no}}\n", "b\n" },
                { "{{#list}}\n{{n}}\n{{/list}}\n", "1\n2\n3\n" },
                { "{{#texts}}{{position}}={{.}} {{#list}}{{position}}{{/list}}{{position}} {{/texts}}",
                  "1=x 1231 2=y 1232 " },
                { "{{#list}}\n\n{{n}}\n{{/list}}\n", "\n1\n\n2\n\n3\n" },
                { "{{#yes}}\n{{#yes}}\nx\n{{/yes}}\n{{/yes}}\n", "x\n" },
        };
        check_samples(samples, lengthof(samples), NULL);
}

static void keeps_what_is_the_nodes(void) {
        static const struct sample samples[] = {
                { "{{node.ip}}", "{{node.ip}}" },
                { "{{name}} {{ node.ip }} {{{node.x}}} {{&node.y}}", "kiln {{ node.ip }} {{{node.x}}} {{&node.y}}" },
                { "{{node}}", "{{node}}" },
                { "{{#node.dns}}nameserver {{.}} {{name}}\n{{/node.dns}}",
                  "{{#node.dns}}nameserver {{.}} kiln\n{{/node.dns}}" },
                { "{{#node.x}}\n{{name}}\n{{/node.x}}\n", "{{#node.x}}\nkiln\n{{/node.x}}\n" },
                { "  {{^node.x}}  \n{{name}}\n{{/node.x}}", "  {{^node.x}}  \nkiln\n{{/node.x}}" },
                { "{{#node.d}}{{position}}:{{.}} {{/node.d}}", "{{#node.d}}{{position}}:{{.}} {{/node.d}}" },
                { "{{#list}}{{n}}:{{node.ip}} {{/list}}", "1:{{node.ip}} 2:{{node.ip}} 3:{{node.ip}} " },
                { "{{#node.d}}{{.}}{{^last}},{{/last}}{{/node.d}}", "{{#node.d}}{{.}}{{^last}},{{/last}}{{/node.d}}" },
                { "{{#node.disks}}{{path}} {{map.a}}{{/node.disks}}", "{{#node.disks}}{{path}} A{{/node.disks}}" },
                { "{{#node.a}}{{#b}}{{c}}{{/b}}{{/node.a}}", "{{#node.a}}{{#b}}{{c}}{{/b}}{{/node.a}}" },
                // a list of the build inside a section of the node, and the other way round
                { "{{#node.a}}{{#texts}}{{.}}{{^last}},{{/last}}{{/texts}}{{/node.a}}", "{{#node.a}}x,y{{/node.a}}" },
                { "{{#texts}}{{#node.a}}{{.}}{{/node.a}}{{.}}{{/texts}}",
                  "{{#node.a}}{{.}}{{/node.a}}x{{#node.a}}{{.}}{{/node.a}}y" },
                { "{{#no}}{{node.ip}}{{/no}}done", "done" },
                { "{{nodes_of}}", NULL },
                // an item's own key is not the node
                { "{{#items}}{{node}}{{/items}}", "theirs" },
                { "{{^node.a}}{{name}}{{/node.a}}", "{{^node.a}}kiln{{/node.a}}" },
        };
        for (size_t i = 0; i < lengthof(samples); i++) {
                bool ok, kept = false;
                auto_free char *got = rendered(samples[i].text, "node", &ok, &kept, NULL);
                EXPECT(ok == (samples[i].want != NULL));
                if (samples[i].want) {
                        EXPECT_TEXT(got, samples[i].want);
                        EXPECT(kept == (strstr(samples[i].want, "{{") != NULL));
                }
        }
}

// What the build leaves, the node renders to what one rendering with everything would have given.
static void two_phases_equal_one(void) {
        static const char template[] =
            "# {{name}}\n{{#node.dns}}\nnameserver {{.}}\n{{/node.dns}}\n"
            "{{#list}}\n{{n}} {{node.ip}}{{#last}}.{{/last}}\n{{/list}}\n{{^node.gateway}}\nno "
            "way\n{{/node.gateway}}\n";
        struct arena arena = { 0 };
        struct value *build = scope_of(&arena, scope_text), *both = scope_of(&arena, scope_text);
        struct value *node = scope_of(&arena, "node: {ip: 10.0.0.1, dns: [8.8.8.8, 9.9.9.9], gateway: ''}");
        value_set(&arena, both, "node", value_get(node, "node"));
        auto_buf left = { 0 }, two = { 0 }, one = { 0 };
        bool kept = false;
        EXPECT_OK(template_render("t", template, strlen(template), build, "node", &left, &kept, err));
        EXPECT(kept);
        EXPECT_OK(template_render("t", left.data, left.size, node, NULL, &two, &kept, err));
        EXPECT(!kept);
        EXPECT_OK(template_render("t", template, strlen(template), both, NULL, &one, NULL, err));
        EXPECT_TEXT(buf_text(&two), buf_text(&one));
        EXPECT_TEXT(buf_text(&one),
                    "# kiln\nnameserver 8.8.8.8\nnameserver 9.9.9.9\n1 10.0.0.1\n2 10.0.0.1\n3 10.0.0.1.\nno way\n");
        arena_release(&arena);
}

// Lines of their own are decided by the text that was written, not by what the build made of it.
static void lines_are_the_same_in_two_phases(void) {
        static const char *const templates[] = {
                "{{empty}}{{#node.yes}}\nx\n{{empty}}{{/node.yes}}\n",
                "{{! c }}{{^node.no}}  \nx{{/node.no}}",
                "{{#texts}}\n{{#node.yes}}\nx\n{{/node.yes}}\nand{{/texts}}\n",
                "{{#texts}}\n  {{#node.yes}}\nx\n  {{/node.yes}}\n  {{/texts}}\n",
                "{{#texts}}{{#node.yes}} \n{{.}}{{/node.yes}}\n{{/texts}}",
                " {{empty}} {{#node.dns}}{{empty}}\n{{.}}{{/node.dns}}{{empty}}\r\n",
        };
        struct arena arena = { 0 };
        struct value *build = scope_of(&arena, "{empty: '', texts: [a, b]}"),
                     *both = scope_of(&arena, "{empty: '', texts: [a, b]}");
        struct value *node = scope_of(&arena, "node: {yes: true, no: false, dns: [p, q]}");
        value_set(&arena, both, "node", value_get(node, "node"));
        for (size_t i = 0; i < lengthof(templates); i++) {
                auto_buf left = { 0 }, two = { 0 }, one = { 0 };
                EXPECT_OK(template_render("t", templates[i], strlen(templates[i]), build, "node", &left, NULL, err));
                EXPECT_OK(template_render("t", buf_text(&left), left.size, node, NULL, &two, NULL, err));
                EXPECT_OK(template_render("t", templates[i], strlen(templates[i]), both, NULL, &one, NULL, err));
                EXPECT_TEXT(buf_text(&two), buf_text(&one));
        }
        arena_release(&arena);
}

// A value that looks like a tag must not become one on the node.
static void refuses_tags_from_values(void) {
        struct arena arena = { 0 };
        struct value *scope = scope_of(&arena, "{a: '{{node.secret}}', b: 'x{', c: '{'}");
        static const char *const bad[] = { "{{a}} {{node.ip}}", "{{b}}{{node.ip}}", "{{c}}{{c}} {{node.ip}}" };
        for (size_t i = 0; i < lengthof(bad); i++) {
                auto_buf output = { 0 };
                auto_err err = { 0 };
                EXPECT(!template_render("t", bad[i], strlen(bad[i]), scope, "node", &output, NULL, &err));
                EXPECT(err.kind == ERR_TEMPLATE && strncmp(err.text, "t:1:", 4) == 0);
                EXPECT(output.size == 0);
        }
        auto_buf output = { 0 };
        EXPECT_OK(template_render("t", "{{a}}", 5, scope, "node", &output, NULL, err));
        EXPECT_TEXT(buf_text(&output), "{{node.secret}}");
        arena_release(&arena);
}

static void names_mistakes(void) {
        static const struct {
                const char *text, *want, *hint;
        } samples[] = {
                { "x\n  {{nmae}}", "t:2:3: unknown variable `nmae`\n      {{nmae}}\n      ^", "did you mean `name`?" },
                { "{{map.deep.c}}",
                  "t:1:1: unknown variable `map.deep.c`: `map.deep` has no `c`\n    {{map.deep.c}}\n    ^", NULL },
                { "{{map.deap.b}}",
                  "t:1:1: unknown variable `map.deap.b`: `map` has no `deap`\n    {{map.deap.b}}\n    ^",
                  "did you mean `map.deep`?" },
                { "{{#unknown}}{{/unknown}}", "t:1:1: unknown variable `unknown`\n    {{#unknown}}{{/unknown}}\n    ^",
                  NULL },
                { "{{^lits}}{{/lits}}", "t:1:1: unknown variable `lits`\n    {{^lits}}{{/lits}}\n    ^",
                  "did you mean `list`?" },
                { "ä {{name.x}}", "t:1:3: unknown variable `name.x`: `name` has no `x`\n    ä {{name.x}}\n      ^",
                  NULL },
                { "{{list}}", "t:1:1: `list` is a list, not a text\n    {{list}}\n    ^",
                  "use a section: {{#list}}...{{/list}}" },
                { "{{map}}", "t:1:1: `map` is a map, not a text\n    {{map}}\n    ^",
                  "use a section: {{#map}}...{{/map}}" },
                { "a\n{{#yes}}\n", "t:2:1: the section `yes` is not ended\n    {{#yes}}\n    ^", NULL },
                { "{{/yes}}", "t:1:1: `yes` ends here and was not begun\n    {{/yes}}\n    ^", NULL },
                { "{{#yes}}{{#no}}{{/yes}}{{/no}}",
                  "t:1:16: `yes` ends here inside the section `no`\n    {{#yes}}{{#no}}{{/yes}}{{/no}}\n               "
                  "    ^",
                  "end `no` first" },
                { "x {{name", "t:1:3: this tag is not closed by `}}`\n    x {{name\n      ^", NULL },
                { "x {{{name}}", "t:1:3: this tag is not closed by `}}}`\n    x {{{name}}\n      ^", NULL },
                { "{{}}", "t:1:1: a tag without a name\n    {{}}\n    ^", NULL },
                { "{{#}}{{/}}", "t:1:1: a tag without a name\n    {{#}}{{/}}\n    ^", NULL },
                { "{{a b}}", "t:1:1: `a b` is not a name\n    {{a b}}\n    ^", NULL },
                { "{{a..b}}", "t:1:1: `a..b` is not a name\n    {{a..b}}\n    ^", NULL },
                { "{{.a}}", "t:1:1: `.a` is not a name\n    {{.a}}\n    ^", NULL },
                { "{{a.}}", "t:1:1: `a.` is not a name\n    {{a.}}\n    ^", NULL },
                { "{{> part}}", "t:1:1: partials are not supported\n    {{> part}}\n    ^", NULL },
                { "{{=<% %>=}}", "t:1:1: delimiter changes are not supported\n    {{=<% %>=}}\n    ^", NULL },
        };
        for (size_t i = 0; i < lengthof(samples); i++) {
                bool ok;
                auto_free char *found = NULL;
                auto_free char *got = rendered(samples[i].text, NULL, &ok, NULL, &found);
                EXPECT(!ok);
                EXPECT_TEXT(got, samples[i].want);
                EXPECT_TEXT(found ? found : "none", samples[i].hint ? samples[i].hint : "none");
        }
}

static void bounds_work(void) {
        auto_buf deep = { 0 };
        for (int i = 0; i < 40; i++)
                buf_append_text(&deep, "{{#yes}}");
        bool ok;
        auto_free char *got = rendered(buf_text(&deep), NULL, &ok, NULL, NULL);
        EXPECT(!ok && strstr(got, "nested more than 32 deep"));
        // Three to the sixteenth iterations that produce nothing.
        auto_buf bomb = { 0 };
        for (int i = 0; i < 16; i++)
                buf_append_text(&bomb, "{{#list}}");
        for (int i = 0; i < 16; i++)
                buf_append_text(&bomb, "{{/list}}");
        auto_free char *slow = rendered(buf_text(&bomb), NULL, &ok, NULL, NULL);
        EXPECT(!ok && strstr(slow, "renders to too much text"));
        struct arena arena = { 0 };
        auto_buf small = { .max = 8 };
        auto_err err = { 0 };
        EXPECT(!template_render("t", "{{name}}{{name}}{{name}}", 24, scope_of(&arena, scope_text), NULL, &small, NULL,
                                &err));
        EXPECT(err.kind == ERR_TEMPLATE && small.size == 0);
        arena_release(&arena);
}

static void appends_and_takes_any_bytes(void) {
        struct arena arena = { 0 };
        auto_buf output = { 0 };
        buf_append_text(&output, "before ");
        EXPECT_OK(template_render("t", "a\0b\xff", 4, scope_of(&arena, scope_text), NULL, &output, NULL, err));
        EXPECT(output.size == 11 && memcmp(output.data, "before a\0b\xff", 11) == 0);
        arena_release(&arena);
}

int main(void) {
        RUN(interpolates);
        RUN(renders_sections);
        RUN(removes_standalone_lines);
        RUN(keeps_what_is_the_nodes);
        RUN(two_phases_equal_one);
        RUN(lines_are_the_same_in_two_phases);
        RUN(refuses_tags_from_values);
        RUN(names_mistakes);
        RUN(bounds_work);
        RUN(appends_and_takes_any_bytes);
        return test_done();
}
