// SPDX-License-Identifier: MIT
// kiln iso.
#include <stdio.h>

#include "base/mem.h"
#include "release/iso_write.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

bool verb_iso(const struct options *options, struct err *err) {
        auto_free char *build = NULL;
        auto_free char *written = NULL;
        if (!options_find_build(options, options->arguments[0], NULL, &build, err) ||
            !iso_write_published(build, options->arguments[1], options->output, &written, err))
                return false;
        if (options->json)
                return answer_give(json_pack("{ss}", "path", written), err);
        puts(written);
        return true;
}
