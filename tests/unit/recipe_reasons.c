// SPDX-License-Identifier: MIT
// What is different between two recipes, in sentences.
#include "build/recipe_reasons.h"

#include "tests/unit/test.h"

static json_t *parse(const char *text) {
        json_error_t error;
        json_t *value = json_loads(text, 0, &error);
        if (!value)
                printf("# line %d: %s\n", error.line, error.text);
        return value;
}

// All reasons, with " | " between them.
static const char *joined(json_t *reasons) {
        static char text[2048];
        size_t index, size = 0;
        json_t *reason;
        text[0] = '\0';
        json_array_foreach(reasons, index, reason) {
                size += (size_t)snprintf(text + size, sizeof text - size, "%s%s", index > 0 ? " | " : "",
                                         json_string_value(reason));
        }
        json_decref(reasons);
        return text;
}

static const char *step_reasons(const char *before, const char *now, const char *step) {
        json_t *old = parse(before), *new = parse(now), *reasons = json_array();
        recipe_step_reasons(old, new, step, reasons);
        json_decref(old);
        json_decref(new);
        return joined(reasons);
}

static const char *build_reasons(const char *before, const char *now) {
        json_t *old = parse(before), *new = parse(now), *reasons = json_array();
        recipe_build_reasons(old, new, reasons);
        json_decref(old);
        json_decref(new);
        return joined(reasons);
}

static const char *configuration_reasons(const char *before, const char *now, const char *role) {
        json_t *old = parse(before), *new = parse(now), *reasons = json_array();
        recipe_configuration_reasons(old, new, role, reasons);
        json_decref(old);
        json_decref(new);
        return joined(reasons);
}

static void says_nothing_of_the_same(void) {
        static const char recipe[] =
            "{\"kiln\":{\"version\":\"1\",\"code\":\"a\"},\"options\":{\"--set\":[\"a=b\"]},\"files\":{\"a\":\"1\"},"
            "\"settings\":{\"a\":\"b\",\"c\":[\"d\"]},\"roles\":{\"web\":{\"/a\":\"1 2\"}},"
            "\"steps\":{\"x\":{\"inputs\":\"maker a\\n\",\"packages\":{\"a.noarch\":\"1-1 abc\"}}}}";
        EXPECT_TEXT(build_reasons(recipe, recipe), "");
        EXPECT_TEXT(step_reasons(recipe, recipe, "x"), "");
        EXPECT_TEXT(configuration_reasons(recipe, recipe, "web"), "");
}

static void tells_packages(void) {
        EXPECT_TEXT(step_reasons("{\"steps\":{\"x\":{\"packages\":{\"curl.x86_64\":\"7.29-25 "
                                 "aa\",\"nano.x86_64\":\"2-1 bb\",\"a.noarch\":\"1-1 cc\"}}}}",
                                 "{\"steps\":{\"x\":{\"packages\":{\"curl.x86_64\":\"1:7.29-57 "
                                 "dd\",\"vim.x86_64\":\"8-1 ee\",\"a.noarch\":\"1-1 ff\"}}}}",
                                 "x"),
                    "package curl 7.29-25 -> 1:7.29-57 | package vim 8-1 is new | package a 1-1 has other bytes | "
                    "package nano 2-1 is gone");
}

// What the base layer has as well is told of that alone.
static void tells_packages_of_a_layer_once(void) {
        static const char before[] = "{\"steps\":{\"base\":{\"packages\":{\"a.noarch\":\"1-1 "
                                     "x\"}},\"web\":{\"inputs\":\"parent 1\\npackages 1\\n\",\"below\":\"base\","
                                     "\"packages\":{\"a.noarch\":\"1-1 x\",\"b.noarch\":\"1-1 x\"}}}}";
        static const char now[] = "{\"steps\":{\"base\":{\"packages\":{\"a.noarch\":\"2-1 "
                                  "x\"}},\"web\":{\"inputs\":\"parent 2\\npackages 2\\n\",\"below\":\"base\","
                                  "\"packages\":{\"a.noarch\":\"2-1 x\",\"b.noarch\":\"1-2 x\"}}}}";
        EXPECT_TEXT(step_reasons(before, now, "web"), "package b 1-1 -> 1-2 | the layer below is another");
        EXPECT_TEXT(step_reasons(before, now, "base"), "package a 1-1 -> 2-1");
        EXPECT_TEXT(build_reasons(before, now), "package a 1-1 -> 2-1 | package b 1-1 -> 1-2");
}

static void tells_inputs(void) {
        EXPECT_TEXT(
            step_reasons(
                "{\"steps\":{\"x\":{\"inputs\":\"maker a\\nlevel 6\\nmodule xfs\\nmodule ext4\\nuser a:1:\\nodd "
                "1\\n\"}}}",
                "{\"steps\":{\"x\":{\"inputs\":\"maker b\\nlevel 9\\nmodule xfs\\nmodule virtio_net\\nodd 2\\n\"}}}",
                "x"),
            "kiln, or a library that it works with, is another | level of compression 6 -> 9 | "
            "initrd.modules + virtio_net - ext4 | odd is another | users that packages give files to: a:1: -> (none)");
        EXPECT_TEXT(
            step_reasons("{\"steps\":{\"x\":{\"inputs\":null}}}", "{\"steps\":{\"x\":{\"inputs\":\"level 9\"}}}", "x"),
            "");
        EXPECT_TEXT(step_reasons("{}", "{\"steps\":{\"x\":{\"inputs\":\"level 9\"}}}", "x"), "");
        EXPECT_TEXT(step_reasons("{\"steps\":{\"x\":{\"inputs\":\"\"}}}",
                                 "{\"steps\":{\"x\":{\"inputs\":\"\\n\\nlevel\"}}}", "x"),
                    " is another | level of compression (none) -> ");
}

static void tells_settings_of_the_role(void) {
        static const char before[] = "{\"settings\":{\"a\":\"1\",\"roles.web.x\":\"1\",\"roles.webs.x\":\"1\",\"roles."
                                     "web.packages\":[\"a\"],\"release.x\":\"1\"}}";
        static const char now[] = "{\"settings\":{\"a\":\"2\",\"roles.web.x\":\"2\",\"roles.webs.x\":\"2\",\"roles.web."
                                  "packages\":[\"b\"],\"release.x\":\"2\"}}";
        EXPECT_TEXT(configuration_reasons(before, now, "web"), "a 1 -> 2 | roles.web.x 1 -> 2");
        EXPECT_TEXT(configuration_reasons(before, now, "webs"), "a 1 -> 2 | roles.webs.x 1 -> 2");
}

static void keeps_a_value_on_its_line(void) {
        EXPECT_TEXT(build_reasons("{\"settings\":{\"a\":\"1\\n2\"}}", "{\"settings\":{\"a\":\"\\u001b[2J\"}}"),
                    "a 1 2 ->  [2J");
        EXPECT_TEXT(
            build_reasons(
                "{\"settings\":{\"a\":\"1\"}}",
                "{\"settings\":{\"a\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\u00e4yyyy\"}}"),
            "a 1 -> xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...");
        EXPECT_TEXT(build_reasons("{\"settings\":{\"a\":[\"1\",\"2\"]}}", "{\"settings\":{\"a\":[\"2\",\"1\"]}}"),
                    "a in another order");
}

static void tells_a_file_once(void) {
        static const char before[] = "{\"files\":{\"../overlays/etc/note\":\"11\",\"roles/"
                                     "web.yaml\":\"1\",\"other\":\"1\"},\"roles\":{\"web\":{\"/etc/note\":\"a 11\"}}}";
        static const char now[] = "{\"files\":{\"../overlays/etc/note\":\"22\",\"roles/"
                                  "web.yaml\":\"2\",\"other\":\"2\"},\"roles\":{\"web\":{\"/etc/note\":\"b 22\"}}}";
        EXPECT_TEXT(build_reasons(before, now), "file /etc/note changed | other changed");
        EXPECT_TEXT(build_reasons("{\"files\":{\"roles/web.yaml\":\"1\"}}", "{\"files\":{\"roles/web.yaml\":\"2\"}}"),
                    "roles/web.yaml changed, though no value did");
}

// A recipe is a file that anything may have happened to.
static void takes_anything_for_a_recipe(void) {
        static const char now[] =
            "{\"steps\":{\"x\":{\"inputs\":\"level 9\",\"packages\":{\"a.noarch\":\"1 "
            "a\"}}},\"settings\":{\"a\":\"b\"},"
            "\"roles\":{\"web\":{\"/a\":\"1 2\"}},\"files\":{\"a\":\"1\"},\"options\":{\"a\":\"b\"}}";
        static const char *const odd[] = { "[]",
                                           "{}",
                                           "{\"steps\":[]}",
                                           "{\"steps\":{\"x\":3}}",
                                           "{\"steps\":{\"x\":{\"inputs\":{},\"packages\":[1]}}}",
                                           "{\"steps\":{\"x\":{\"packages\":{\"a\":1,\"b\":\"\",\"a.noarch\":null}}}}",
                                           "{\"settings\":{\"a\":3,\"b\":[1,{}]},\"roles\":{\"web\":{\"/a\":7,\"/"
                                           "b\":\"x\"}},\"files\":{\"a\":[],\"b\":1},\"options\":7}" };
        for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
                (void)step_reasons(odd[i], now, "x");
                (void)configuration_reasons(odd[i], now, "web");
                EXPECT(build_reasons(odd[i], now) != NULL);
        }
}

int main(void) {
        RUN(says_nothing_of_the_same);
        RUN(tells_packages);
        RUN(tells_packages_of_a_layer_once);
        RUN(tells_inputs);
        RUN(tells_settings_of_the_role);
        RUN(keeps_a_value_on_its_line);
        RUN(tells_a_file_once);
        RUN(takes_anything_for_a_recipe);
        return test_done();
}
