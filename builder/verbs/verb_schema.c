// SPDX-License-Identifier: MIT
// kiln schema.
#include <stdio.h>

#include "base/mem.h"
#include "profile/profile.h"
#include "verbs/options.h"
#include "verbs/verb.h"

bool verb_schema(const struct options *options, struct err *err) {
        const char *kind = options->arguments[0];
        auto_free char *schema = NULL;
        if (options->text)
                schema = profile_reference(kind);
        else
                schema = profile_json_schema(kind);
        if (!schema)
                return fail(err, ERR_USAGE, 0, "kiln schema %s: there are cluster, release and role", kind);
        puts(schema);
        return true;
}
