// SPDX-License-Identifier: MIT
// Trees of values, their truth, and help for messages.
#include "shared/value.h"

#include "base/mistake.h"
#include "tests/unit/test.h"

static void maps_replace_and_lists_grow(void) {
        struct arena arena = { 0 };
        struct value *map = value_map(&arena), *list = value_list(&arena);
        char key[16];
        for (int round = 0; round < 2; round++)
                for (int i = 0; i < 100; i++) {
                        snprintf(key, sizeof key, "k%d", i);
                        value_set(&arena, map, key, value_scalar(&arena, round ? "new" : "old"));
                }
        EXPECT(map->count == 100);
        EXPECT_TEXT(value_get(map, "k0")->text, "new");
        EXPECT_TEXT(value_get(map, "k99")->text, "new");
        EXPECT(value_get(map, "k100") == NULL && value_get(NULL, "x") == NULL && value_get(list, "x") == NULL);
        for (int i = 0; i < 1000; i++)
                value_append(&arena, list, map);
        EXPECT(list->count == 1000 && list->items[999] == map);
        arena_release(&arena);
}

static void truth_is_mustaches(void) {
        struct arena arena = { 0 };
        EXPECT(!value_truth(NULL));
        EXPECT(!value_truth(value_bool(&arena, false)) && value_truth(value_bool(&arena, true)));
        EXPECT(!value_truth(value_scalar(&arena, "")) && value_truth(value_scalar(&arena, "x")));
        EXPECT(value_truth(value_scalar(&arena, "no"))); // a text of kiln's own is no boolean
        struct value *plain = value_scalar(&arena, "No");
        plain->quoted = false;
        EXPECT(!value_truth(plain));
        plain->text = "off";
        EXPECT(!value_truth(plain));
        plain->text = "0";
        EXPECT(value_truth(plain));
        EXPECT(!value_truth(value_list(&arena)) && value_truth(value_map(&arena)));
        plain->type = VALUE_NULL;
        EXPECT(!value_truth(plain));
        arena_release(&arena);
}

static void distances_count_edits(void) {
        EXPECT(mistake_distance("", "") == 0);
        EXPECT(mistake_distance("", "abc") == 3 && mistake_distance("abc", "") == 3);
        EXPECT(mistake_distance("abc", "abc") == 0);
        EXPECT(mistake_distance("abc", "acb") == 1); // a swap is one slip
        EXPECT(mistake_distance("kitten", "sitting") == 3);
        EXPECT(mistake_distance("packages", "pakages") == 1);
        char huge[1000];
        memset(huge, 'x', sizeof huge - 1);
        huge[sizeof huge - 1] = '\0';
        EXPECT(mistake_distance(huge, "y") == 64);
}

static void nearest_must_be_near(void) {
        struct nearest nearest = { .wanted = "pacakges" };
        nearest_offer(&nearest, "users");
        EXPECT(nearest.best == NULL);
        nearest_offer(&nearest, "package");
        nearest_offer(&nearest, "packages");
        EXPECT_TEXT(nearest.best, "packages");
        struct nearest tiny = { .wanted = "x" };
        nearest_offer(&tiny, "y"); // as far as it is long: that is no likeness
        EXPECT(tiny.best == NULL);
}

static void excerpts_point(void) {
        static const char text[] = "one\n\tt\xc3\xa4ll wrong\r\nthree";
        auto_buf buf = { 0 };
        mistake_excerpt(&buf, text, strlen(text), 2, 7);
        EXPECT_TEXT(buf_text(&buf), "\n    \tt\xc3\xa4ll wrong\n    \t     ^");
        buf_clear(&buf);
        mistake_excerpt(&buf, text, strlen(text), 9, 1);
        mistake_excerpt(&buf, text, strlen(text), 0, 1);
        mistake_excerpt(&buf, NULL, 0, 1, 1);
        EXPECT(buf.size == 0 || buf.data[0] == '\0');
        mistake_excerpt(&buf, "a\x1b[31m", 6, 1, 1000000);
        EXPECT(strchr(buf_text(&buf), 0x1b) == NULL && buf.size < 64);
        int line, column;
        mistake_locate(text, strlen(text), 8, &line, &column);
        EXPECT(line == 2 && column == 4);
}

int main(void) {
        RUN(maps_replace_and_lists_grow);
        RUN(truth_is_mustaches);
        RUN(distances_count_edits);
        RUN(nearest_must_be_near);
        RUN(excerpts_point);
        return test_done();
}
