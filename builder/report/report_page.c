// SPDX-License-Identifier: MIT
// The page: its head, the roles, the warnings, and the sections of the other files.
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "base/mem.h"
#include "report/internal.h"
#include "shared/base64.h"

enum { PAGE_MAX_BYTES = 64 << 20, SHA256_BYTES = 32, WARNINGS_MAX = 100, ID_SHOWN = 12 };

// The assembler reads the file as it is (gas, .incbin).
__asm__(".section .rodata\n"
        ".global report_css\n"
        ".global report_css_end\n"
        "report_css:\n"
        ".incbin \"builder/report/report.css\"\n"
        "report_css_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char report_css[], report_css_end[];

// Nothing but this style may act in the page, whatever a text that was not escaped would say.
static void append_policy(struct buf *to) {
        char hex[DIGEST_HEX_SIZE];
        unsigned char bytes[SHA256_BYTES];
        digest_bytes("sha256", report_css, (size_t)(report_css_end - report_css), hex);
        for (size_t i = 0; i < SHA256_BYTES; i++)
                (void)sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
        buf_append_text(
            to, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-");
        base64_encode(bytes, sizeof bytes, 0, to);
        buf_append_text(to, "'; base-uri 'none'; form-action 'none'\">\n");
}

// ---- the head ----

static void add_fact(struct buf *to, const char *name, const char *value) {
        if (*value)
                html_format(to, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, value);
}

static void add_time(const struct report_data *data, struct buf *to) {
        time_t made = (time_t)report_size(data->source->notes, "made");
        char text[64];
        struct tm tm;
        if (made == 0 || !gmtime_r(&made, &tm) || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
                return;
        add_fact(to, "made", text);
}

// Of every artefact once: PXE's folders name the files of the roles again.
static int64_t distinct_bytes(const json_t *manifest) {
        size_t i;
        json_t *artefact, *seen = json_object();
        int64_t bytes = 0;
        json_array_foreach(json_object_get(manifest, "artefacts"), i, artefact) {
                const char *sha256 = member_text(artefact, "sha256");
                if (json_object_get(seen, sha256))
                        continue;
                (void)!json_object_set_new(seen, sha256, json_true());
                bytes += report_size(artefact, "size");
        }
        json_decref(seen);
        return bytes;
}

static void append_facts(const struct report_data *data, struct buf *to) {
        const json_t *manifest = data->build.manifest, *inputs = json_object_get(manifest, "inputs");
        const json_t *options = json_object_get(manifest, "options");
        auto_free char *size = html_size(distinct_bytes(manifest));
        auto_free char *kiln =
            xasprintf("%s, code %.*s", member_text(inputs, "version"), ID_SHOWN, member_text(inputs, "code"));
        auto_free char *nodes = html_count(json_array_size(json_object_get(data->node_json, "nodes")), "node");
        buf_append_text(to, "<dl>\n");
        add_fact(to, "release", member_text(manifest, "release"));
        add_time(data, to);
        if (data->node_json)
                add_fact(to, "inventory", nodes);
        add_fact(to, "all artefacts", size);
        if (member_number(options, "serial") > 0) {
                auto_free char *serial = xasprintf("%jd", (intmax_t)member_number(options, "serial"));
                add_fact(to, "serial", serial);
        }
        add_fact(to, "signed by", text_or(json_string_value(json_object_get(manifest, "signed_by")), "nobody"));
        add_fact(to, "served at", member_text(options, "http_base"));
        add_fact(to, "kiln", kiln);
        buf_append_text(to, "</dl>\n");
}

static void append_page_head(const struct report_data *data, struct buf *to) {
        static const char *const sections[][2] = { { "warnings", "Warnings" },   { "roles", "Roles" },
                                                   { "changes", "What is new" }, { "packages", "Packages" },
                                                   { "network", "Network" },     { "steps", "Steps" } };
        const char *id = member_text(data->build.manifest, "build"),
                   *cluster = member_text(data->build.manifest, "cluster");
        buf_append_text(to,
                        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                        "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light "
                        "dark\">\n");
        append_policy(to);
        html_format(to, "<title>%s: build %s</title>\n<style>", cluster, id);
        buf_append(to, report_css, (size_t)(report_css_end - report_css));
        html_format(to, "</style>\n<header>\n<h1>%s: build <code>%s</code></h1>\n", cluster, id);
        append_facts(data, to);
        buf_append_text(to, "<nav aria-label=\"Sections\"><ul>\n");
        for (size_t i = 0; i < lengthof(sections); i++)
                html_format(to, "<li><a href=\"#%s\">%s</a>\n", sections[i][0], sections[i][1]);
        buf_append_text(to, "</ul></nav>\n</header>\n<main>\n");
}

// ---- warnings ----

static void append_warnings(const struct report_data *data, struct buf *to) {
        const json_t *warnings = json_object_get(data->source->notes, "warnings");
        size_t i;
        json_t *warning;
        report_heading(to, "warnings", "Warnings");
        if (!data->source->notes) {
                buf_append_text(to, "<p>Nobody wrote them down.</p>\n");
                return;
        }
        if (json_array_size(warnings) == 0) {
                buf_append_text(to, "<p>✓ None.</p>\n");
                return;
        }
        buf_append_text(to, "<ul class=\"warnings\">\n");
        json_array_foreach((json_t *)warnings, i, warning) {
                if (i == WARNINGS_MAX)
                        break;
                html_format(to, "<li>⚠ %s\n", text_or(json_string_value(warning), ""));
        }
        buf_append_text(to, "</ul>\n");
        if (json_array_size(warnings) > WARNINGS_MAX)
                buf_printf(to, "<p>And %zu more.</p>\n", json_array_size(warnings) - WARNINGS_MAX);
}

// ---- roles ----

static size_t nodes_of_role(const struct report_data *data, const char *role) {
        size_t i, count = 0;
        json_t *node;
        json_array_foreach(json_object_get(data->node_json, "nodes"), i, node) count +=
            strcmp(member_text(node, "role"), role) == 0;
        return count;
}

static void append_artefact_size(const struct report_data *data, const char *role, const char *name, struct buf *to) {
        const json_t *artefact = diffed_build_artefact(&data->build, role, name);
        auto_free char *size = html_size(report_size(artefact, "size"));
        if (!artefact)
                buf_append_text(to, "<td class=\"n\">–");
        else
                html_format(to, "<td class=\"n\">%s", size);
}

static int64_t installed_bytes(const json_t *role) {
        size_t i;
        json_t *package;
        int64_t bytes = 0;
        json_array_foreach(json_object_get(role, "packages"), i, package) {
                int64_t size = report_size(package, "installed_size");
                if (bytes <= INT64_MAX - size)
                        bytes += size;
        }
        return bytes;
}

static void append_kernel_arguments(const json_t *kernel, struct buf *to) {
        size_t i;
        json_t *argument;
        buf_append_text(to, "<td>");
        json_array_foreach(json_object_get(kernel, "arguments"), i, argument)
            html_format(to, "<code>%s</code> ", text_or(json_string_value(argument), ""));
}

static void append_role(const struct report_data *data, const char *name, const json_t *role, struct buf *to) {
        const json_t *kernel = json_object_get(role, "kernel");
        auto_free char *installed = html_size(installed_bytes(role));
        html_format(to, "<tr><th scope=\"row\">%s", name);
        buf_printf(to, "<td class=\"n\">%zu<td class=\"n\">%zu", nodes_of_role(data, name),
                   json_array_size(json_object_get(role, "packages")));
        html_format(to, "<td class=\"n\">%s", installed);
        append_artefact_size(data, name, "rootfs.squashfs", to);
        append_artefact_size(data, name, "initrd.img", to);
        append_artefact_size(data, name, "config.cpio", to);
        html_format(to, "<td>%s", member_text(kernel, "version"));
        append_kernel_arguments(kernel, to);
        buf_append_text(to, "</tr>\n");
}

static void append_roles(const struct report_data *data, struct buf *to) {
        const char *name;
        json_t *role;
        report_heading(to, "roles", "Roles");
        buf_append_text(
            to, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of the roles\"><table>"
                "<thead><tr><th scope=\"col\">role<th scope=\"col\" class=\"n\">nodes<th scope=\"col\" class=\"n\">"
                "packages<th scope=\"col\" class=\"n\">installed<th scope=\"col\" class=\"n\">root, packed"
                "<th scope=\"col\" class=\"n\">initrd<th scope=\"col\" class=\"n\">configuration<th scope=\"col\">"
                "kernel<th scope=\"col\">its arguments</tr></thead><tbody>\n");
        json_object_foreach(json_object_get(data->build.manifest, "roles"), name, role)
            append_role(data, name, role, to);
        buf_append_text(to, "</tbody></table></div>\n");
}

bool report_make(const struct report_source *source, struct buf *ret, struct err *err) {
        struct report_data data;
        assert(source && source->path && ret);
        ret->max = PAGE_MAX_BYTES;
        bool ok = report_data_open(source, &data, err);
        if (ok) {
                append_page_head(&data, ret);
                append_warnings(&data, ret);
                append_roles(&data, ret);
                report_changes(&data, ret);
                report_packages(&data, ret);
                report_network(&data, ret);
                report_steps(&data, ret);
                html_format(
                    ret,
                    "</main>\n<footer><p>This page is no part of the build: no digest and no signature is over it. "
                    "<code>kiln builds --report %s</code> makes it again.</p></footer>\n</html>\n",
                    member_text(data.build.manifest, "build"));
        }
        report_data_close(&data);
        if (ok && ret->overflow)
                return fail(err, ERR_SYSTEM, 0, "the report of %s would be too large", source->path);
        return ok;
}
