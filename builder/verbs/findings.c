// SPDX-License-Identifier: MIT
#include "verbs/findings.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/version.h"

static const char *const format_names[] = { "text", "json", "sarif", "github" };

bool findings_format_read(const char *name, enum findings_format *ret, struct err *err) {
        for (size_t i = 0; i < lengthof(format_names); i++)
                if (strcmp(text_or(name, "text"), format_names[i]) == 0) {
                        *ret = (enum findings_format)i;
                        return true;
                }
        return fail(err, ERR_USAGE, 0, "--format %s: text, json, sarif or github is needed", name);
}

static bool is_warning(const struct profile_finding *finding) { return finding->kind == ERR_NONE; }

static const char *rule_of(const struct profile_finding *finding) {
        if (is_warning(finding))
                return "WARNING";
        return err_kind_name(finding->kind);
}

// Jansson takes UTF-8 alone; a profile that is none was refused, and its message shows it as "?".
json_t *finding_json(const struct profile_finding *finding) {
        json_t *object =
            json_pack("{ss ss ss ss* ss*}", "level", is_warning(finding) ? "warning" : "error", "text",
                      finding->message, "kind", rule_of(finding), "hint", finding->hint, "file", finding->place.file);
        if (object && finding->place.line > 0) {
                (void)json_object_set_new(object, "line", json_integer(finding->place.line));
                (void)json_object_set_new(object, "column", json_integer(finding->place.column));
        }
        return object;
}

static void add_json_line(struct findings *findings, const struct profile_finding *finding) {
        json_t *object = json_pack("{ss}", "event", "finding"), *members = finding_json(finding);
        if (object && members)
                (void)json_object_update(object, members);
        json_decref(members);
        auto_free char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
        buf_printf(&findings->text, "%s\n", text_or(line, "{\"event\":\"finding\"}"));
        json_decref(object);
}

// ---- where they are shown ----

// Code review shows what is in a file of the repository, and nothing else. What stands in no file, such as --set, is
// shown with the cluster file, and says by itself where it is.
static struct place place_to_show(const struct findings *findings, const struct profile_finding *finding) {
        struct place place = finding->place;
        bool is_in_file = place.file && strncmp(place.file, "--", 2) != 0;
        if (!is_in_file)
                place = (struct place){ .file = findings->cluster };
        while (strncmp(place.file, "./", 2) == 0)
                place.file += 2;
        return place;
}

static char *text_to_show(const struct profile_finding *finding) {
        const char *file = finding->place.file;
        bool is_option = file && strncmp(file, "--", 2) == 0;
        if (is_option)
                return xasprintf("%s: %s", file, finding->message);
        return xstrdup(finding->message);
}

// A URI: blanks and all else that none may have are written as %XX.
static char *uri_of(const char *path) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
        auto_buf uri = { 0 };
        if (path[0] == '/')
                buf_append_text(&uri, "file://");
        for (; *path; path++)
                if (strchr(plain, *path))
                        buf_append_char(&uri, *path);
                else
                        buf_printf(&uri, "%%%02X", (unsigned char)*path);
        return xstrdup(buf_text(&uri));
}

static void add_result(struct findings *findings, const struct profile_finding *finding) {
        const struct place place = place_to_show(findings, finding);
        auto_free char *message = text_to_show(finding), *text = NULL, *uri = uri_of(place.file);
        if (finding->hint)
                text = xasprintf("%s\n%s", message, finding->hint);
        json_t *physical = json_pack("{s{ss}}", "artifactLocation", "uri", uri);
        if (physical && place.line > 0)
                (void)json_object_set_new(physical, "region",
                                          json_pack("{si si}", "startLine", place.line, "startColumn", place.column));
        json_t *result = json_pack("{ss ss s{ss} s[{so}]}", "ruleId", rule_of(finding), "level",
                                   is_warning(finding) ? "warning" : "error", "message", "text", text_or(text, message),
                                   "locations", "physicalLocation", physical);
        if (!findings->results)
                findings->results = json_array();
        (void)json_array_append_new(findings->results, result);
}

// In values of properties, commas and colons are escaped, too.
static void append_for_github(struct buf *to, const char *text, bool is_property) {
        for (; *text; text++) {
                bool is_special = *text == '%' || *text == '\r' || *text == '\n';
                if (is_special || (is_property && (*text == ':' || *text == ',')))
                        buf_printf(to, "%%%02X", (unsigned char)*text);
                else
                        buf_append_char(to, *text);
        }
}

static void add_annotation(struct findings *findings, const struct profile_finding *finding) {
        struct buf *to = &findings->text;
        const struct place place = place_to_show(findings, finding);
        auto_free char *message = text_to_show(finding);
        buf_printf(to, "::%s title=kiln %s,file=", is_warning(finding) ? "warning" : "error", rule_of(finding));
        append_for_github(to, place.file, true);
        if (place.line > 0)
                buf_printf(to, ",line=%d,col=%d", place.line, place.column);
        buf_append_text(to, "::");
        append_for_github(to, message, false);
        if (finding->hint) {
                buf_append_text(to, "%0A");
                append_for_github(to, finding->hint, false);
        }
        buf_append_char(to, '\n');
}

void findings_add(const struct profile_finding *finding, void *context) {
        static void (*const add[])(struct findings *, const struct profile_finding *) = {
                [FINDINGS_JSON] = add_json_line, [FINDINGS_SARIF] = add_result, [FINDINGS_GITHUB] = add_annotation
        };
        struct findings *findings = context;
        if (findings->format != FINDINGS_TEXT)
                add[findings->format](findings, finding);
}

bool findings_has_any(const struct findings *findings) { return findings->results || findings->text.size > 0; }

static void print_sarif(struct findings *findings) {
        if (!findings->results)
                findings->results = json_array();
        json_t *log = json_pack("{ss ss s[{s{s{ss ss}} so}]}", "$schema",
                                "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json",
                                "version", "2.1.0", "runs", "tool", "driver", "name", "kiln", "version", KILN_VERSION,
                                "results", findings->results);
        auto_free char *text = log ? json_dumps(log, JSON_INDENT(2)) : NULL;
        printf("%s\n", text_or(text, "{}"));
        json_decref(log);
}

void findings_print(struct findings *findings) {
        if (findings->format == FINDINGS_SARIF)
                print_sarif(findings);
        else
                (void)fwrite(buf_text(&findings->text), 1, findings->text.size, stdout);
        buf_release(&findings->text);
}
