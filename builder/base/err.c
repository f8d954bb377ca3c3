// SPDX-License-Identifier: MIT
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"

static const struct {
        const char *name, *meaning;
        int exit_code;
} kinds[] = { [ERR_NONE] = { "NONE", "success", 0 },
#define X(name, code, meaning) [ERR_##name] = { #name, meaning, code },
              ERR_KINDS(X)
#undef X
};

int err_exit_code(enum err_kind kind) { return kinds[kind].exit_code; }
const char *err_kind_name(enum err_kind kind) { return kinds[kind].name; }
const char *err_kind_meaning(enum err_kind kind) { return kinds[kind].meaning; }

static void replace_text(char **slot, char *text) {
        free(*slot);
        *slot = text;
}

// Heap; NULL: the number tells of no limit of the process, or there is none.
static char *hint_of_limit(int number) {
        struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
        if (number == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0)
                return xasprintf("this process may have %llu files open: raise the limit with ulimit -n",
                                 (unsigned long long)limit.rlim_cur);
        if (number == EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
                return xasprintf("no file of this process may grow beyond %llu bytes: raise the limit with ulimit -f",
                                 (unsigned long long)limit.rlim_cur);
        return NULL;
}

bool(fail)(struct err *err, enum err_kind kind, int number, const char *format, ...) {
        assert(err && kind != ERR_NONE);
        va_list arguments;
        va_start(arguments, format);
        char *text = xvasprintf(format, arguments);
        va_end(arguments);
        if (number) {
                char *whole = xasprintf("%s: %s", text, strerror(number));
                free(text);
                text = whole;
        }
        err->kind = kind;
        err->number = number;
        replace_text(&err->text, text);
        replace_text(&err->hint, NULL);
        if (number == ENOSPC || number == EDQUOT) {
                err->kind = ERR_DISK_FULL;
                err->hint = xstrdup("make room on that disk, and run it again");
        }
        if (!err->hint)
                err->hint = hint_of_limit(number);
        return false;
}

bool fail_with_answer(struct err *err, int exit_status) {
        (void)fail(err, ERR_ANSWER, 0, "exit status %d", exit_status);
        err->number = exit_status;
        return false;
}

bool(wrap)(struct err *err, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *prefix = xvasprintf(format, arguments);
        va_end(arguments);
        replace_text(&err->text, xasprintf("%s: %s", prefix, text_or(err->text, "unknown error")));
        return false;
}

bool(hint)(struct err *err, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        replace_text(&err->hint, xvasprintf(format, arguments));
        va_end(arguments);
        return false;
}

bool err_need_reason(struct err *err, const char *what) {
        if (err->kind != ERR_NONE && err->text)
                return false;
        return fail(err, ERR_INTERNAL, 0, "internal error: %s failed and gave no reason", what);
}

void err_release(struct err *err) {
        free(err->text);
        free(err->hint);
        *err = (struct err){ 0 };
}

struct err take_err(struct err *err) {
        struct err taken = *err;
        *err = (struct err){ 0 };
        return taken;
}
