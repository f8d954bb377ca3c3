// SPDX-License-Identifier: MIT
// kiln schema.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "profile/profile.h"
#include "status/status.h"
#include "verbs/options.h"
#include "verbs/verb.h"

bool verb_schema(const struct options *options, struct err *err) {
        const char *kind = options->arguments[0];
        auto_free char *schema = NULL;
        bool is_status = strcmp(kind, "status") == 0 && !options->text;
        if (is_status)
                schema = status_schema();
        else if (options->text)
                schema = profile_reference(kind);
        else
                schema = profile_json_schema(kind);
        if (!schema)
                return fail(err, ERR_USAGE, 0,
                            "kiln schema %s: there are cluster, release and role, and status without --text", kind);
        puts(schema);
        return true;
}
