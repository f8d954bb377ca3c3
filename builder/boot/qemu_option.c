// SPDX-License-Identifier: MIT
// QEMU's options, as a growing argv.
#include <stdarg.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "boot/internal.h"

void arguments_add(struct arguments *arguments, const char *argument) {
        *array_append(&arguments->items, &arguments->count) = argument;
}

void arguments_release(struct arguments *arguments) {
        free(arguments->items);
        *arguments = (struct arguments){ 0 };
}

void arguments_printf(struct arguments *arguments, struct arena *arena, const char *option, const char *format, ...) {
        va_list values;
        va_start(values, format);
        auto_free char *text = xvasprintf(format, values);
        va_end(values);
        arguments_add(arguments, option);
        arguments_add(arguments, arena_strdup(arena, text));
}

const char *quote_commas(struct arena *arena, const char *text) {
        auto_buf quoted = { 0 };
        for (; *text; text++) {
                buf_append_char(&quoted, *text);
                if (*text == ',')
                        buf_append_char(&quoted, ',');
        }
        return arena_strdup(arena, buf_text(&quoted));
}
