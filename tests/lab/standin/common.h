// SPDX-License-Identifier: MIT
// What the stand-ins share: messages, small files, child processes, flags in the syntaxes of Mesos and Marathon.
// They are test programs: a mistake in their configuration ends them with a message, as it ends the real ones.
#ifndef KILN_STANDIN_COMMON_H
#define KILN_STANDIN_COMMON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"

extern const char *program_name; // "mesos-master stand-in": begins every line

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Reads a file of at most a megabyte; NULL if it cannot be read. Heap.
char *text_read(const char *path);
bool text_write(const char *path, const char *text); // in place, as the real programs do
void make_directories(const char *path);             // dies when it cannot

// Runs an argv without a shell; the exit status, or -1. Output (standard output and error joined) is appended unless
// NULL.
int run_program(const char *const argv[], struct buf *output);

// The machine's name, and the first IPv4 address that it resolves to ("" if none): what Mesos binds without --ip.
char *machine_name(void);
char *address_of(const char *name);

double now_seconds(void);

// ---- flags ----

enum flag_type { FLAG_TEXT, FLAG_BOOL, FLAG_NUMBER, FLAG_DURATION };

struct flag {
        const char *name;
        enum flag_type type;
        const char *fallback; // default, or NULL
        const char *value;    // as given; NULL: not given
};

// Mesos: --name=value, --name, --no-name, and MESOS_NAME in the environment. Unknown flags, duplicates (a variable and
// a flag are one too), missing and malformed values are fatal. Answers --help and --version.
void flags_load_mesos(struct flag *flags, size_t count, int argc, char **argv);
// Marathon (scallop): --name value or --name=value; toggles --name and --disable_name.
void flags_load_marathon(struct flag *flags, size_t count, int argc, char **argv);

const char *flag_value(const struct flag *flags, size_t count, const char *name); // given, or the default, or NULL
bool flag_given(const struct flag *flags, size_t count, const char *name);
json_t *flags_json(const struct flag *flags, size_t count); // what was given and what has a default

#endif
