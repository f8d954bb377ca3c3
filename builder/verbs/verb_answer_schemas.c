// SPDX-License-Identifier: MIT
// The schemas of what --json prints, from one table: tests check every answer against them.
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "verbs/answer_shapes.h"
#include "verbs/verb_answer.h"

// ---- the table ----

static const struct {
        const char *name, *json;
} answer_types[] = {
        { "text", "{\"type\":\"string\"}" },
        { "count", "{\"type\":\"integer\",\"minimum\":0}" },
        { "number", "{\"type\":\"integer\"}" },
        { "yes or no", "{\"type\":\"boolean\"}" },
        { "text or null", "{\"type\":[\"string\",\"null\"]}" },
        { "texts", "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}" },
        { "object", "{\"type\":\"object\"}" },
        { "text, [] or {}", "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"maxItems\":0},{\"type\":"
                            "\"object\",\"maxProperties\":0}]}" },
        { "object or null", "{\"type\":[\"object\",\"null\"]}" },
        { "count or null", "{\"type\":[\"integer\",\"null\"],\"minimum\":0}" },
        { "yes, no or null", "{\"type\":[\"boolean\",\"null\"]}" },
        { "error or warning", "{\"enum\":[\"error\",\"warning\"]}" },
};

#define FORMAT                                                                                                         \
        { "format", "count", "version of this form", false }
#define PATH_OF_BUILD                                                                                                  \
        { "path", "text", "where the build is", false }

static const struct answer_member build_members[] = {
        FORMAT,
        PATH_OF_BUILD,
        { "cluster", "text", "name of the cluster", false },
        { "build", "text", "id of the build", false },
        { "new", "yes or no", "it was not there already", false },
        { "partial", "yes or no", "it lacks roles or artefacts, so `current` never names it", false },
};
static const struct answer_member builds_members[] = {
        FORMAT,
        { "cluster", "text", "name of the cluster", false },
        { "id", "text", "id of the build", false },
        PATH_OF_BUILD,
        { "release", "text", "release that it was made with", false },
        { "roles", "text", "names of its roles", false },
        { "made", "count", "when: seconds since 1970", false },
        { "serial", "count", "number of the release; 0: none", false },
        { "size", "count", "bytes", false },
        { "alone", "count", "bytes that no other build shares", false },
        { "current", "yes or no", "machines that boot get it", false },
        { "marked", "yes or no", "it is never removed", false },
        { "partial", "yes or no", "it lacks roles or artefacts", false },
        { "running", "count", "machines that run it, with --running", true },
};
static const struct answer_member cache_members[] = {
        FORMAT,
        { "path", "text", "where the cache is", false },
        { "entries", "count", "entries of all kinds", false },
        { "bytes", "count", "what they take on the disk", false },
        { "kinds", "kinds by name", "entries and bytes of each kind", false },
};
static const struct answer_member diff_members[] = {
        FORMAT,
        { "same", "yes or no", "nothing that machines could see differs", false },
        { "from", "a build", "the older build", false },
        { "to", "a build", "the newer build", false },
        { "options", "options", "what the builds were made with", false },
        { "artefacts", "changed sizes", "files outside of the roles' folders: boot loaders, Kickstart, lists", false },
        { "roles", "roles by name", "what differs for all machines of a role", false },
        { "nodes", "nodes by name", "what that is to each machine", false },
};
static const struct answer_member diff_running_members[] = {
        FORMAT,
        { "to", "a build", "what they would run", false },
        { "reboot", "count", "machines that have to boot again", false },
        { "unknown", "count", "machines of which nobody can say", false },
        { "nodes", "running nodes by name", "each machine", false },
};
static const struct answer_member fetch_members[] = {
        FORMAT,
        { "packages", "count", "packages that are in the cache now", false },
        { "export", "text", "the yum repository that was written", true },
};
static const struct answer_member finding_members[] = {
        { "event", "text", "finding", false },
        { "level", "error or warning", "whether it stops a build", false },
        { "text", "text", "what is wrong", false },
        { "kind", "text", "SYNTAX, SCHEMA, ...: kiln(1) lists them; WARNING", false },
        { "hint", "text", "what to do about it", true },
        { "file", "text", "where it is written", true },
        { "line", "count", "from 1", true },
        { "column", "count", "from 1, in characters", true },
};
static const struct answer_member init_members[] = {
        FORMAT,
        { "path", "text", "the cluster file", false },
        { "nodes", "count", "machines in it", false },
        { "key", "yes or no", "somebody's public key may log in", false },
        { "text", "text", "of --dry-run: what the cluster file would be", true },
};
static const struct answer_member iso_members[] = {
        FORMAT,
        { "path", "text", "the ISO", false },
};
static const struct answer_member lock_members[] = {
        FORMAT,
        { "path", "text", "the lock file", false },
        { "packages", "count", "packages in it", false },
        { "added", "texts", "NEVRAs that were not locked before, or with other bytes", false },
        { "removed", "texts", "NEVRAs that no longer are", false },
};
static const struct answer_member plan_members[] = {
        FORMAT,
        { "cluster", "text", "name of the cluster", false },
        { "build", "text", "id that the build would have", false },
        { "path", "text", "where it is, or would be", false },
        { "new", "yes or no", "it is not there already, whole and signed", false },
        { "partial", "yes or no", "it lacks roles or artefacts, so `current` never names it", false },
        { "becomes_current", "yes or no", "`current` names another one now", false },
        { "before", "text or null", "id of the build that it is compared with", false },
        { "before_is_known", "yes or no", "what that was made from is noted here", false },
        { "changes", "texts", "what differs from it, a sentence each", false },
        { "steps", "planned steps", "what the build consists of, in its order; empty if it is there", false },
        { "downloads", "lacking packages", "packages that the cache lacks", false },
        { "download_bytes", "count", "of packages from the network", false },
        { "copy_bytes", "count", "of packages from repositories of this machine", false },
        { "metadata_bytes", "count", "of repositories' metadata from the network", false },
        { "remote", "text or null", "a shared cache that was not asked, and may have what would be made", false },
};
static const struct answer_member publish_members[] = {
        FORMAT,
        PATH_OF_BUILD,
        { "build", "text", "its id", false },
        { "was_current", "yes or no", "machines got it before, too", false },
};
static const struct answer_member pull_members[] = {
        FORMAT,
        PATH_OF_BUILD,
        { "digest", "text", "of its manifest in the registry", false },
        { "build", "text", "its id", false },
        { "cluster", "text", "name of the cluster", false },
        { "new", "yes or no", "it was not there already", false },
        { "partial", "yes or no", "it lacks roles or artefacts, so `current` never names it", false },
        { "files", "count", "files of the build", false },
        { "bytes", "count", "of their contents, each once", false },
        { "loaded_bytes", "count", "of these, what came from the registry; with --dry-run: would come", false },
        { "summary", "text", "what kiln verify says of it", true },
};
static const struct answer_member push_members[] = {
        FORMAT,
        { "reference", "text", "by which the build can be pulled, whatever tags say later", false },
        { "digest", "text", "of its manifest", false },
        { "tag", "text", "that names it now, beside its id", false },
        { "build", "text", "its id", false },
        { "cluster", "text", "name of the cluster", false },
        { "files", "count", "files of the build", false },
        { "contents", "count", "different ones", false },
        { "bytes", "count", "of these", false },
        { "sent", "count", "contents that were uploaded; with --dry-run: would be", false },
        { "sent_bytes", "count", "of these", false },
        { "mounted", "count", "contents that were taken from another repository", false },
};
static const struct answer_member rack_members[] = {
        FORMAT,
        { "rack", "text", "its name, the cluster's", false },
        { "place", "text", "directory of its sockets and logs", true },
        { "accelerator", "text", "kvm or tcg", false },
        { "seed", "number", "what faults that choose began with", false },
        { "serve", "yes or no", "its kiln serve runs", false },
        { "now", "number", "milliseconds of the rack's clock", false },
        { "machines", "machines", "each machine of it", false },
};
static const struct answer_member resolve_members[] = {
        FORMAT,
        { "packages", "resolved packages", "by nevra", false },
};
static const struct answer_member rollout_members[] = {
        FORMAT,
        { "cluster", "text", "name of the cluster", false },
        { "from", "text", "build that nodes run", false },
        { "to", "text", "build that they will run", false },
        { "state", "text", "of the cluster now, as kiln status says it", false },
        { "current", "yes or no", "machines that boot get it", false },
        { "steps", "steps", "in order: the machines of one leave at once", false },
        { "skipped", "skipped nodes", "machines that stay as they are", false },
        { "problems", "texts", "what forbids to go on; empty: nothing", false },
};
static const struct answer_member secret_members[] = {
        FORMAT,
        { "file", "text", "the secrets' file", false },
        { "names", "texts", "names of the secrets, never their values", false },
};
static const struct answer_member show_members[] = {
        { "key", "text", "roles.master.packages.0", false },
        { "value", "text, [] or {}", "[] and {} are an empty list and map; absent: null", true },
        { "file", "text", "where it is written; \"default\": nowhere", true },
        { "line", "count", "from 1", true },
};
static const struct answer_member show_file_members[] = {
        { "path", "text", "of the file, on the machine", false },
        { "from", "text", "the template", true },
        { "content", "text", "as the machine will have it", true },
        { "content_base64", "text", "the same, where it is no text (not UTF-8)", true },
};
static const struct answer_member verify_members[] = {
        FORMAT,
        PATH_OF_BUILD,
        { "rebuilt", "yes or no", "it was made again, and came out the same", false },
        { "summary", "text", "for people", false },
};

#define EVENT(name)                                                                                                    \
        { "event", "text", name, false }, { "at_ms", "count", "when: milliseconds since 1970", false }
#define STEP                                                                                                           \
        { "step", "text", "\"download\", \"install master\", \"pack master\", ...", false },                           \
            { "unit", "text", "bytes or packages", false }, { "done", "count", "units done", false },                  \
            { "total", "count", "units in all; 0: nobody knows", false }, {                                            \
                "elapsed_ms", "count", "since it began", false                                                         \
        }
static const struct answer_member start_members[] = {
        EVENT("start"),
        FORMAT,
        { "verb", "text", "what kiln was asked for", false },
        { "version", "text", "of kiln", false },
};
static const struct answer_member begin_members[] = { EVENT("begin"), STEP };
static const struct answer_member progress_members[] = {
        EVENT("progress"), STEP, { "left_ms", "count", "until it ends, if it goes on like this", true }
};
static const struct answer_member end_members[] = {
        EVENT("end"), STEP, { "ok", "yes or no", "false: it failed or was interrupted", false }
};
static const struct answer_member notice_members[] = { EVENT("notice"), { "text", "text", "a remark", false } };
static const struct answer_member warning_members[] = {
        EVENT("warning"), { "text", "text", "what somebody should know though the work goes on", false }
};
static const struct answer_member mistake_members[] = {
        EVENT("finding"),
        { "level", "error or warning", "whether it stops a build", false },
        { "text", "text", "one thing that is wrong with a profile", false },
        { "kind", "text", "SYNTAX, SCHEMA, ...", false },
        { "hint", "text", "what to do about it", true },
        { "file", "text", "where it is written", true },
        { "line", "count", "from 1", true },
        { "column", "count", "from 1, in characters", true },
};
static const struct answer_member error_members[] = {
        EVENT("error"),
        { "kind", "text", "USAGE, NETWORK, ...: kiln(1) lists them", false },
        { "text", "text", "all that is wrong, of one line or several", false },
        { "hint", "text", "what to do about it", true },
};
static const struct answer_member result_members[] = {
        EVENT("result"),
        { "verb", "text", "what kiln was asked for", false },
        { "ok", "yes or no", "exit is 0", false },
        { "exit", "count", "kiln's exit status", false },
        { "elapsed_ms", "count", "since it began", false },
        { "answer", "object", "what is on standard output, if that is one object", true },
};

// Rows of one kind that follow each other are its alternatives: what is printed is one of them.
#define KIND(kind, title, members)                                                                                     \
        { kind, title, members, lengthof(members) }
static const struct answer_kind {
        const char *kind, *title;
        const struct answer_member *members;
        size_t count;
} answer_kinds[] = {
        KIND("events", "what any verb says on standard error with --json, an event a line", start_members),
        KIND("events", NULL, begin_members),
        KIND("events", NULL, progress_members),
        KIND("events", NULL, end_members),
        KIND("events", NULL, notice_members),
        KIND("events", NULL, warning_members),
        KIND("events", NULL, mistake_members),
        KIND("events", NULL, error_members),
        KIND("events", NULL, result_members),
        KIND("build", "kiln build --json", build_members),
        KIND("builds", "kiln builds --json, a line a build", builds_members),
        KIND("cache", "kiln cache --json", cache_members),
        KIND("check", "kiln check --json, a line a finding", finding_members),
        KIND("diff", "kiln diff --json", diff_members),
        KIND("diff", NULL, diff_running_members),
        KIND("fetch", "kiln fetch --json", fetch_members),
        KIND("init", "kiln init --json", init_members),
        KIND("iso", "kiln iso --json", iso_members),
        KIND("lock", "kiln lock --json", lock_members),
        KIND("plan", "kiln plan --json, kiln build --dry-run --json", plan_members),
        KIND("publish", "kiln publish --json", publish_members),
        KIND("pull", "kiln pull --json", pull_members),
        KIND("push", "kiln push --json", push_members),
        KIND("rack", "kiln rack ps --json", rack_members),
        KIND("resolve", "kiln resolve --json", resolve_members),
        KIND("rollout", "kiln rollout --json, the plan", rollout_members),
        KIND("secret", "kiln secret list --json", secret_members),
        KIND("show", "kiln show --json, a line a value or file", show_members),
        KIND("show", NULL, show_file_members),
        KIND("verify", "kiln verify --json", verify_members),
};

// ---- JSON Schema ----

static json_t *members_schema(const struct answer_member *members, size_t count);

static json_t *shape_schema(const struct answer_use *use) {
        json_t *schema = members_schema(use->members, use->count);
        if (use->is_list)
                return json_pack("{ss so}", "type", "array", "items", schema);
        if (use->is_by_name)
                return json_pack("{ss so}", "type", "object", "additionalProperties", schema);
        if (use->may_be_null)
                (void)!json_object_set_new(schema, "type", json_pack("[ss]", "object", "null"));
        return schema;
}

static json_t *type_schema(const char *type) {
        struct answer_use use;
        if (answer_shape_find(type, &use))
                return shape_schema(&use);
        for (size_t i = 0; i < lengthof(answer_types); i++)
                if (strcmp(answer_types[i].name, type) == 0)
                        return json_loads(answer_types[i].json, 0, NULL);
        return NULL;
}

static json_t *member_schema(const struct answer_member *member) {
        if (strcmp(member->name, "event") == 0)
                return json_pack("{ss}", "const", member->help);
        if (strcmp(member->name, "format") == 0)
                return json_pack("{si ss}", "const", ANSWER_FORMAT, "description", member->help);
        json_t *schema = type_schema(member->type);
        (void)!json_object_set_new(schema, "description", json_string(member->help));
        return schema;
}

static json_t *members_schema(const struct answer_member *members, size_t count) {
        json_t *properties = json_object(), *required = json_array();
        for (size_t i = 0; i < count; i++) {
                (void)!json_object_set_new(properties, members[i].name, member_schema(&members[i]));
                if (!members[i].may_lack)
                        (void)!json_array_append_new(required, json_string(members[i].name));
        }
        return json_pack("{ss so sb so}", "type", "object", "required", required, "additionalProperties", 0,
                         "properties", properties);
}

static const struct answer_kind *find_answer_kind(const char *name, size_t *ret_count) {
        const struct answer_kind *found = NULL;
        *ret_count = 0;
        for (size_t i = 0; i < lengthof(answer_kinds); i++) {
                if (strcmp(answer_kinds[i].kind, name) != 0)
                        continue;
                if (!found)
                        found = &answer_kinds[i];
                ++*ret_count;
        }
        return found;
}

char *answer_schema(const char *name) {
        size_t count;
        const struct answer_kind *kinds = find_answer_kind(name, &count);
        if (!kinds)
                return NULL;
        auto_free char *id = xasprintf("urn:kiln:schema:%s:%d", name, ANSWER_FORMAT);
        json_t *root = json_pack("{ss ss ss}", "$schema", "https://json-schema.org/draft/2020-12/schema", "$id", id,
                                 "title", kinds->title);
        json_t *alternatives = json_array();
        for (size_t i = 0; i < count; i++)
                (void)!json_array_append_new(alternatives, members_schema(kinds[i].members, kinds[i].count));
        if (count > 1)
                (void)!json_object_set(root, "oneOf", alternatives);
        else
                (void)!json_object_update(root, json_array_get(alternatives, 0));
        json_decref(alternatives);
        char *text = json_dumps(root, JSON_INDENT(2));
        json_decref(root);
        return text;
}

// ---- for reading ----

static void append_members(const struct answer_member *members, size_t count, int depth, struct buf *ret) {
        for (size_t i = 0; i < count; i++) {
                const struct answer_member *member = &members[i];
                struct answer_use use;
                buf_printf(ret, "%*s%s\n%*s    %s (%s%s)\n", depth, "", member->name, depth, "", member->help,
                           member->type, member->may_lack ? "; may be absent" : "");
                if (answer_shape_find(member->type, &use))
                        append_members(use.members, use.count, depth + 4, ret);
        }
}

char *answer_reference(const char *name) {
        size_t count;
        struct buf text = { 0 };
        const struct answer_kind *kinds = find_answer_kind(name, &count);
        if (!kinds)
                return NULL;
        buf_printf(&text, "%s\n", kinds->title);
        for (size_t i = 0; i < count; i++) {
                buf_append_char(&text, '\n');
                append_members(kinds[i].members, kinds[i].count, 0, &text);
        }
        return buf_take(&text);
}

void answer_each_kind(void (*each)(const char *kind, const char *title, void *context), void *context) {
        for (size_t i = 0; i < lengthof(answer_kinds); i++)
                if (answer_kinds[i].title)
                        each(answer_kinds[i].kind, answer_kinds[i].title, context);
}
