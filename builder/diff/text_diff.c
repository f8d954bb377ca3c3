// SPDX-License-Identifier: MIT
// E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), the greedy one, which keeps a row for each
// number of edits. A library with this, libgit2, would bring TLS, SSH and HTTP into the builder; diff(1) would be
// started some thousand times.
#include "diff/text_diff.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { CONTEXT_LINES = 3, EDITS_MAX = 2000 };

struct lines {
        struct text *items; // with their newline, if there is one
        size_t count;
};

// What becomes of the two texts, step by step: a common line, one that goes, one that comes.
struct script {
        char *steps; // ' ', '-', '+'
        size_t count;
};

bool text_is_shown(const struct text *text) {
        if (text->size > TEXT_DIFF_MAX_BYTES || memchr(text->data, '\0', text->size))
                return false;
        json_t *string = json_stringn(text->data, text->size); // NULL: no UTF-8
        json_decref(string);
        return string != NULL;
}

static struct lines split_lines(const struct text *text) {
        struct lines lines = { 0 };
        size_t at = 0;
        while (at < text->size) {
                const char *start = text->data + at;
                const char *newline = memchr(start, '\n', text->size - at);
                size_t size = text->size - at;
                if (newline)
                        size = (size_t)(newline - start) + 1;
                *array_append(&lines.items, &lines.count) = (struct text){ start, size };
                at += size;
        }
        return lines;
}

static bool same_line(const struct text *left, const struct text *right) {
        return left->size == right->size && memcmp(left->data, right->data, left->size) == 0;
}

static void add_steps(struct script *script, char step, size_t count) {
        for (size_t i = 0; i < count; i++)
                *array_append(&script->steps, &script->count) = step;
}

// ---- the shortest way from one to the other ----

// The middles, without what the texts have in common at both ends.
struct middle {
        const struct text *from, *to;
        long from_count, to_count;
};

// How far one gets on diagonal k (x - y) with d edits: a row of 2d + 1 numbers for every d.
struct rows {
        long **items;
        size_t count;
};

static long start_of_diagonal(const long *before, long d, long k) {
        bool comes_down = k == -d || (k != d && before[k - 1] < before[k + 1]);
        if (comes_down)
                return before[k + 1]; // a line came
        return before[k - 1] + 1;     // a line went
}

static long follow_diagonal(const struct middle *middle, long x, long k) {
        while (x < middle->from_count && x - k < middle->to_count && same_line(&middle->from[x], &middle->to[x - k]))
                x++;
        return x;
}

// The rows have room for diagonals one beyond d on either side.
static long *new_row(struct rows *rows, long d) {
        long *row = xcalloc((size_t)(2 * d + 3), sizeof *row);
        *array_append(&rows->items, &rows->count) = row;
        return row + d + 1;
}

static bool reaches_end(const struct middle *middle, const long *row, long d) {
        long k = middle->from_count - middle->to_count;
        return k >= -d && k <= d && (d - k) % 2 == 0 && row[k] >= middle->from_count;
}

// The number of edits, or -1 if there are more than EDITS_MAX.
static long find_edits(const struct middle *middle, struct rows *rows) {
        const long *before = NULL;
        for (long d = 0; d <= EDITS_MAX; d++) {
                long *row = new_row(rows, d);
                for (long k = -d; k <= d; k += 2) {
                        long x = 0;
                        if (d > 0)
                                x = start_of_diagonal(before, d, k);
                        row[k] = follow_diagonal(middle, x, k);
                }
                if (reaches_end(middle, row, d))
                        return d;
                before = row;
        }
        return -1;
}

// From the end to the beginning; the steps are turned around afterwards.
static void walk_back(const struct middle *middle, const struct rows *rows, long edits, struct script *back) {
        long x = middle->from_count, y = middle->to_count;
        for (long d = edits; d > 0; d--) {
                const long *before = rows->items[d - 1] + d;
                long k = x - y, start = start_of_diagonal(before, d, k);
                bool came = k == -d || (k != d && before[k - 1] < before[k + 1]);
                add_steps(back, ' ', (size_t)(x - start));
                add_steps(back, "-+"[came], 1);
                x = start;
                y = start - k;
                if (came)
                        y--;
                else
                        x--;
        }
        add_steps(back, ' ', (size_t)x);
}

static void find_script(const struct middle *middle, struct script *script) {
        struct rows rows = { 0 };
        struct script back = { 0 };
        long edits = find_edits(middle, &rows);
        if (edits >= 0) {
                walk_back(middle, &rows, edits, &back);
                for (size_t i = back.count; i > 0; i--)
                        add_steps(script, back.steps[i - 1], 1);
        } else {
                add_steps(script, '-', (size_t)middle->from_count);
                add_steps(script, '+', (size_t)middle->to_count);
        }
        for (size_t i = 0; i < rows.count; i++)
                free(rows.items[i]);
        free(rows.items);
        free(back.steps);
}

static struct script script_of(const struct lines *from, const struct lines *to) {
        struct script script = { 0 };
        size_t head = 0, tail = 0;
        while (head < from->count && head < to->count && same_line(&from->items[head], &to->items[head]))
                head++;
        while (tail < from->count - head && tail < to->count - head &&
               same_line(&from->items[from->count - tail - 1], &to->items[to->count - tail - 1]))
                tail++;
        const struct middle middle = { from->items + head, to->items + head, (long)(from->count - head - tail),
                                       (long)(to->count - head - tail) };
        add_steps(&script, ' ', head);
        find_script(&middle, &script);
        add_steps(&script, ' ', tail);
        return script;
}

// ---- printing ----

static void append_line(struct buf *to, char step, const struct text *line) {
        assert(line && line->size > 0);
        buf_append_char(to, step);
        buf_append(to, line->data, line->size);
        if (line->data[line->size - 1] != '\n')
                buf_append_text(to, "\n\\ No newline at end of file\n");
}

// Line numbers begin with 1; an empty range names the line before it.
static void append_range(struct buf *to, char sign, size_t start, size_t count) {
        size_t first = start;
        if (count > 0)
                first = start + 1;
        buf_printf(to, "%c%zu", sign, first);
        if (count != 1)
                buf_printf(to, ",%zu", count);
}

// Steps [begin, end) and where the texts stand at their beginning.
struct hunk {
        size_t begin, end, from, to;
};

static size_t count_steps(const struct script *script, const struct hunk *hunk, char but) {
        size_t count = 0;
        for (size_t i = hunk->begin; i < hunk->end; i++)
                count += script->steps[i] != but;
        return count;
}

static void append_hunk(const struct script *script, const struct hunk *hunk, const struct lines *from,
                        const struct lines *to, struct buf *ret) {
        size_t x = hunk->from, y = hunk->to;
        buf_append_text(ret, "@@ ");
        append_range(ret, '-', x, count_steps(script, hunk, '+'));
        buf_append_char(ret, ' ');
        append_range(ret, '+', y, count_steps(script, hunk, '-'));
        buf_append_text(ret, " @@\n");
        for (size_t i = hunk->begin; i < hunk->end; i++) {
                char step = script->steps[i];
                if (step == '+')
                        append_line(ret, step, &to->items[y]);
                else
                        append_line(ret, step, &from->items[x]);
                x += step != '+';
                y += step != '-';
        }
}

// Where the hunk that begins with the change at `at` ends: before the first long stretch of common lines.
static size_t end_of_hunk(const struct script *script, size_t at) {
        size_t common = 0, end = at;
        for (size_t i = at; i < script->count && common <= 2 * CONTEXT_LINES; i++) {
                common++;
                if (script->steps[i] != ' ') {
                        common = 0;
                        end = i + 1;
                }
        }
        size_t left = script->count - end;
        if (left > CONTEXT_LINES)
                left = CONTEXT_LINES;
        return end + left;
}

static void append_hunks(const struct script *script, const struct lines *from, const struct lines *to,
                         struct buf *ret) {
        size_t x = 0, y = 0, context = 0; // `context`: common lines before, at most CONTEXT_LINES
        for (size_t i = 0; i < script->count;) {
                if (script->steps[i] == ' ') {
                        context += context < CONTEXT_LINES;
                        x++;
                        y++;
                        i++;
                        continue;
                }
                const struct hunk hunk = { i - context, end_of_hunk(script, i), x - context, y - context };
                append_hunk(script, &hunk, from, to, ret);
                x = hunk.from + count_steps(script, &hunk, '+');
                y = hunk.to + count_steps(script, &hunk, '-');
                i = hunk.end;
                context = 0;
        }
}

void text_diff(const struct text *from, const struct text *to, struct buf *ret) {
        assert(from && to && ret);
        if (same_line(from, to))
                return;
        struct lines left = split_lines(from), right = split_lines(to);
        struct script script = script_of(&left, &right);
        append_hunks(&script, &left, &right, ret);
        free(script.steps);
        free(left.items);
        free(right.items);
}
