// SPDX-License-Identifier: MIT
// A treemap: rectangles that fill a larger one, each with an area by its size, and as square as may be (M. Bruls,
// K. Huizing, J. van Wijk: Squarified Treemaps, 2000).
#ifndef KILN_REPORT_TREEMAP_H
#define KILN_REPORT_TREEMAP_H

#include <stddef.h>

struct treemap_place {
        double x, y, width, height;
};

// Fills `ret[count]`. `sizes` fall from one to the next; one of 0 gets no area. Where all are 0, all places are empty.
void treemap_layout(const double *sizes, size_t count, const struct treemap_place *area, struct treemap_place *ret);

#endif
