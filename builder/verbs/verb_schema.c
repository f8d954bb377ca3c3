// SPDX-License-Identifier: MIT
// kiln schema.
#include "verbs/verb_schema.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/mistake.h"
#include "profile/profile.h"
#include "status/status.h"
#include "verbs/options.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"

static const struct {
        const char *kind, *title;
} profile_kinds[] = {
        { "cluster", "a cluster file" },
        { "release", "a release file" },
        { "role", "a role file" },
        { "defaults", "kiln.yaml, beside a cluster file: what commands take as given" },
};

void schema_each_kind(void (*each)(const char *kind, const char *title, void *context), void *context) {
        for (size_t i = 0; i < lengthof(profile_kinds); i++)
                each(profile_kinds[i].kind, profile_kinds[i].title, context);
        answer_each_kind(each, context);
        each("status", "kiln status --json, a line a look", context);
}

static void print_schema_line(const char *kind, const char *title, void *context) {
        (void)context;
        printf("%-10s %s\n", kind, title);
}

static void offer_kind(const char *kind, const char *title, void *context) {
        (void)title;
        nearest_offer(context, kind);
}

static bool refuse_schema(const char *kind, struct err *err) {
        struct nearest nearest = { .wanted = kind };
        schema_each_kind(offer_kind, &nearest);
        if (strcmp(kind, "status") == 0)
                return fail(err, ERR_USAGE, 0, "kiln schema status: it is not written for --text");
        fail(err, ERR_USAGE, 0, "there is no schema `%s`", kind);
        if (nearest.best)
                return hint(err, "is %s meant? `kiln schema` lists them", nearest.best);
        return hint(err, "`kiln schema` lists them");
}

static char *schema_text(const char *kind, bool is_for_reading) {
        if (is_for_reading) {
                char *reference = profile_reference(kind);
                if (!reference)
                        reference = answer_reference(kind);
                return reference;
        }
        if (strcmp(kind, "status") == 0)
                return status_schema();
        char *schema = profile_json_schema(kind);
        if (!schema)
                schema = answer_schema(kind);
        return schema;
}

bool verb_schema(const struct options *options, struct err *err) {
        if (options->argument_count == 0) {
                schema_each_kind(print_schema_line, NULL);
                return true;
        }
        auto_free char *schema = schema_text(options->arguments[0], options->text);
        if (!schema)
                return refuse_schema(options->arguments[0], err);
        puts(schema);
        return true;
}
