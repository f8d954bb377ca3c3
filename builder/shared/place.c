// SPDX-License-Identifier: MIT
#include "shared/place.h"

#include <stdarg.h>

#include "base/mem.h"

bool fail_at(struct err *err, enum err_kind kind, const struct place *place, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *text = xvasprintf(format, arguments);
        va_end(arguments);
        if (place && place->file)
                return fail(err, kind, 0, "%s:%d:%d: %s", place->file, place->line, place->column, text);
        return fail(err, kind, 0, "%s", text);
}
