// SPDX-License-Identifier: MIT
#include "artefact/iso/program.h"

#include <string.h>

#include "base/mem.h"
#include "base/run.h"

extern char **environ;

// Whether what programs write depends on a variable of the caller's ("NAME=value"). All but the last are set anew.
static bool changes_output(const char *variable) {
        static const char *const names[] = { "SOURCE_DATE_EPOCH=", "TZ=", "LC_ALL=", "MTOOLSRC=" };
        for (size_t i = 0; i < lengthof(names); i++)
                if (strncmp(variable, names[i], strlen(names[i])) == 0)
                        return true;
        return false;
}

bool program_run(int64_t source_date_epoch, int dir, const char *const *argv, struct err *err) {
        const char **env = NULL;
        size_t count = 0;
        for (char **next = environ; *next; next++)
                if (!changes_output(*next))
                        *array_append(&env, &count) = *next;
        auto_free char *epoch = xasprintf("SOURCE_DATE_EPOCH=%lld", (long long)source_date_epoch);
        auto_free char *path = xasprintf("/proc/self/fd/%d", dir);
        *array_append(&env, &count) = epoch;
        *array_append(&env, &count) = "TZ=UTC";
        *array_append(&env, &count) = "LC_ALL=C";
        *array_append(&env, &count) = NULL;
        bool ok = run(&(struct run){ .argv = argv, .env = env, .dir = path }, err);
        free(env);
        return ok;
}

bool program_check(const char *name, const char *package, struct err *err) {
        if (run_finds(name))
                return true;
        fail(err, ERR_TOOL, 0, "the program %s is missing", name);
        return hint(err, "install the Debian package %s, or run `make deps`", package);
}
