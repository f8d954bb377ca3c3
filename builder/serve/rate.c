// SPDX-License-Identifier: MIT
#include "serve/rate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const double RATE_LEAST = 1000, RATE_MOST = 1e13;

static const char *take_multiple(const char *text, double *rate) {
        static const struct {
                char letter;
                double factor;
        } multiples[] = { { 'k', 1e3 }, { 'K', 1e3 }, { 'M', 1e6 }, { 'G', 1e9 } };
        for (size_t i = 0; i < sizeof multiples / sizeof *multiples; i++)
                if (*text == multiples[i].letter) {
                        *rate *= multiples[i].factor;
                        return text + 1;
                }
        return text;
}

static bool is_unit(const char *text) {
        static const char *const units[] = { "", "bit", "bit/s", "bps" };
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
                if (strcmp(text, units[i]) == 0)
                        return true;
        return false;
}

bool rate_parse(const char *text, uint64_t *ret_bits_per_second, struct err *err) {
        assert(text && ret_bits_per_second);
        char *end = NULL;
        bool begins = strspn(text, "0123456789.") > 0;
        double rate = strtod(text, &end);
        bool is_rate = begins && is_unit(take_multiple(end, &rate));
        if (!is_rate || !(rate >= RATE_LEAST && rate <= RATE_MOST)) {
                fail(err, ERR_USAGE, 0, "--uplink %s: a speed in bits a second is needed", text);
                return hint(err, "such as 160M, 1G or 2.5G");
        }
        *ret_bits_per_second = (uint64_t)rate;
        return true;
}
