// The verbs of main.c's table, each a thin reading of its options; the work is in build.h and the directories.
#ifndef KILN_VERBS_H
#define KILN_VERBS_H

#include "options.h"

// Decides the build id together with the inputs: raise it when the same inputs make other bits.
#define KILN_VERSION "0.1.0"

bool verb_build(const struct options *options, struct err *err);
bool verb_check(const struct options *options, struct err *err);
bool verb_resolve(const struct options *options, struct err *err);
bool verb_boot(const struct options *options, struct err *err);
bool verb_schema(const struct options *options, struct err *err);

#endif
