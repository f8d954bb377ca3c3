// SPDX-License-Identifier: MIT
#include "verify/verify.h"

#include "base/mem.h"
#include "verify/published.h"
#include "verify/verify_consistency.h"
#include "verify/verify_rebuild.h"
#include "verify/verify_signatures.h"
#include "verify/verify_sums.h"

// What stopped the work is one finding more where there are others: both have to be said.
static bool note_stop(struct published_build *build, struct err *err) {
        if (build->finding_count == 0 || err->kind == ERR_INTERRUPTED)
                return false;
        published_note(build, "it was not compared any further: %s", err->text);
        return true;
}

static bool give_verdict(const struct published_build *build, bool rebuilt, const char *signed_how, char **ret_summary,
                         struct err *err) {
        if (build->finding_count > 0)
                return fail(err, ERR_DIFFERENT, 0, "%s is not as it should be:%s", build->path,
                            buf_text(&build->findings));
        const char *and_rebuilt = "";
        if (rebuilt)
                and_rebuilt = ", and the same when built again";
        *ret_summary =
            xasprintf("%s: %zu files are as published%s; %s", build->path, build->count, and_rebuilt, signed_how);
        return true;
}

static bool look_through(struct published_build *build, const struct verify_options *options, struct err *err) {
        if (!verify_sums(build, options->jobs, err) || !verify_consistency(build, err))
                return false;
        return !options->rebuild || verify_rebuild(build, options, err);
}

bool verify_build(const struct verify_options *options, char **ret_summary, struct err *err) {
        struct published_build build;
        auto_free char *signed_how = NULL;
        bool ok = published_open(options->build, &build, err) && verify_signatures(&build, options, &signed_how, err);
        if (ok) {
                bool has_verdict = look_through(&build, options, err) || note_stop(&build, err);
                ok = has_verdict && give_verdict(&build, options->rebuild, signed_how, ret_summary, err);
        }
        published_close(&build);
        return ok;
}
