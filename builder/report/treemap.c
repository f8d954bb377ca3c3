// SPDX-License-Identifier: MIT
#include "report/treemap.h"

#include <assert.h>
#include <stdbool.h>

#include "base/mem.h"

static double smaller_of(double left, double right) {
        if (left < right)
                return left;
        return right;
}

static double larger_of(double left, double right) {
        if (left > right)
                return left;
        return right;
}

// How far the worst of a row's rectangles is from a square. The row, of the area `sum`, lies along `side`; its sizes
// fall, so that the first and the last are the extremes.
static double worst_ratio(double first, double last, double sum, double side) {
        double square = side * side, whole = sum * sum;
        return larger_of(square * first / whole, whole / (square * last));
}

// How many of the areas the next row takes: as long as one more makes its worst rectangle no worse.
static size_t row_length(const double *areas, size_t count, double side, double *ret_sum) {
        double sum = areas[0], worst = worst_ratio(areas[0], areas[0], sum, side);
        size_t taken = 1;
        while (taken < count) {
                double longer = sum + areas[taken], ratio = worst_ratio(areas[0], areas[taken], longer, side);
                if (ratio > worst)
                        break;
                sum = longer;
                worst = ratio;
                taken++;
        }
        *ret_sum = sum;
        return taken;
}

// Puts a row along the shorter side of what is free, and takes it off that.
static void place_row(const double *areas, size_t count, double sum, struct treemap_place *rest,
                      struct treemap_place *ret) {
        bool stands = rest->width >= rest->height; // a column at the left
        double side = smaller_of(rest->width, rest->height), depth = sum / side, at = 0;
        for (size_t i = 0; i < count; i++) {
                double length = areas[i] / depth;
                if (stands)
                        ret[i] = (struct treemap_place){ rest->x, rest->y + at, depth, length };
                else
                        ret[i] = (struct treemap_place){ rest->x + at, rest->y, length, depth };
                at += length;
        }
        if (stands) {
                rest->x += depth;
                rest->width = larger_of(rest->width - depth, 0);
        } else {
                rest->y += depth;
                rest->height = larger_of(rest->height - depth, 0);
        }
}

void treemap_layout(const double *sizes, size_t count, const struct treemap_place *area, struct treemap_place *ret) {
        assert(area && (count == 0 || (sizes && ret)));
        double total = 0;
        size_t used = 0;
        for (; used < count && sizes[used] > 0; used++)
                total += sizes[used];
        for (size_t i = used; i < count; i++)
                ret[i] = (struct treemap_place){ area->x, area->y, 0, 0 };
        auto_free double *areas = xcalloc(used + 1, sizeof *areas);
        for (size_t i = 0; i < used; i++)
                areas[i] = sizes[i] / total * area->width * area->height;
        struct treemap_place rest = *area;
        for (size_t done = 0; done < used;) {
                double sum, side = smaller_of(rest.width, rest.height);
                if (side <= 0) { // what rounding left over
                        ret[done++] = (struct treemap_place){ rest.x, rest.y, 0, 0 };
                        continue;
                }
                size_t taken = row_length(&areas[done], used - done, side, &sum);
                place_row(&areas[done], taken, sum, &rest, &ret[done]);
                done += taken;
        }
}
