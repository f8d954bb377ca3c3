// SPDX-License-Identifier: MIT
// kiln check.
#include <stdio.h>
#include <stdlib.h>

#include "artefact/artefact.h"
#include "base/progress.h"
#include "verbs/findings.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

static void print_role(const struct cluster *cluster, const struct role *role) {
        printf("  %-10s", role->name);
        for (size_t i = 0; i < role->node_count; i++)
                printf(" %s", cluster->nodes[role->nodes[i]].name);
        size_t votes;
        free(cluster_members(cluster, role->name, &votes)); // only their number counts
        const struct role *ensemble = cluster_ensemble_of(cluster, role);
        if (role->ensemble && ensemble == role)
                printf("  (quorum %zu of %zu)", votes / 2 + 1, votes);
        else if (role->ensemble)
                printf("  (in the ensemble of %s)", ensemble->name);
        putchar('\n');
}

// The findings are what is printed; only the exit status says the rest.
static bool check_for_programs(const struct options *options, enum findings_format format, struct err *err) {
        struct findings findings = { .format = format, .cluster = options->arguments[0] };
        struct arena arena = { 0 };
        struct defaults defaults;
        struct profile_options profile = options_profile(options);
        struct cluster *cluster = NULL;
        profile.finding = findings_add;
        profile.context = &findings;
        bool ok = defaults_read(options->arguments[0], &arena, &profile, &defaults, err) &&
                  cluster_load(options->arguments[0], &profile, &cluster, err);
        bool has_template_mistake = ok && !kickstart_try(cluster, cluster->http_base, err);
        bool is_untold = !ok && !findings_has_any(&findings);
        if (has_template_mistake || is_untold) {
                struct profile_finding finding = profile_finding_of(&arena, err);
                findings_add(&finding, &findings);
        }
        cluster_free(cluster);
        arena_release(&arena);
        findings_print(&findings);
        if (ok && !has_template_mistake)
                return true;
        return fail_with_answer(err, err_exit_code(err->kind));
}

static bool check_kiln_yaml(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        struct defaults defaults;
        bool ok = defaults_read(options->arguments[0], &arena, NULL, &defaults, err);
        arena_release(&arena);
        return ok;
}

// Only --http-base of a build could say more.
static void warn_of_roots(const struct cluster *cluster) {
        auto_err err = { 0 };
        if (!root_url_check(cluster, cluster->http_base, &err))
                warning("%s: %s", err.text, text_or(err.hint, ""));
}

bool verb_check(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        enum findings_format format = FINDINGS_TEXT;
        if (!findings_format_read(options->format, &format, err))
                return false;
        if (options->json && !options->format)
                format = FINDINGS_JSON;
        if (format != FINDINGS_TEXT)
                return check_for_programs(options, format, err);
        if (!check_kiln_yaml(options, err) || !options_load_cluster(options, &cluster, err))
                return false;
        show_warnings(cluster);
        warn_of_roots(cluster);
        if (!kickstart_try(cluster, cluster->http_base, err)) {
                cluster_free(cluster);
                return false;
        }
        printf("cluster %s, release %s: %zu nodes\n", cluster->name, cluster->release.name, cluster->node_count);
        for (size_t i = 0; i < cluster->role_count; i++)
                print_role(cluster, &cluster->roles[i]);
        cluster_free(cluster);
        return true;
}
