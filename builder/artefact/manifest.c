// SPDX-License-Identifier: MIT
// manifest.json: what was built from what. Keys are sorted and nothing in it depends on the machine. The file lists are
// copied as text (file_list.h): some hundred thousand files need no tree in memory.
//
//     { "artefacts": [{path, sha256, size}], "build", "cluster", "format": 1,
//       "inputs": {"version", "code", "files": {NAME: sha256}},
//       "options": {"http_base", "only", "serial", "set"}, "release",
//       "roles": { NAME: { "configuration": [file], "files": [file], "kernel": {arguments, image, version},
//                          "packages": [{nevra, repository, sha256, ...}], "root": {sha256, size} } },
//       "signed_by": the key's fingerprint or null, "source_date_epoch": 1450051200 }
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "artefact/file_sums.h"
#include "artefact/image/file_list.h"
#include "artefact/internal.h"
#include "base/fs.h"
#include "base/mem.h"

#define MANIFEST_NAME "manifest.json"

static void append_json(struct buf *to, json_t *object) {
        auto_free char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
        json_decref(object);
        buf_append_text(to, text_or(text, "null"));
}

// Puts an element of an array on a line of its own.
static void begin_element(struct buf *to, size_t index) {
        if (index > 0)
                buf_append_char(to, ',');
        buf_append_char(to, '\n');
}

// The lines of a file list (file_list.h), each a JSON object, as the elements of an array.
static void append_file_list(struct buf *to, const struct buf *lines) {
        const char *line = buf_text(lines);
        for (size_t i = 0; *line; i++) {
                const char *end = strchrnul(line, '\n');
                if (i > 0)
                        buf_append_text(to, ",\n");
                buf_append(to, line, (size_t)(end - line));
                line = end;
                if (*line == '\n')
                        line++;
        }
}

static bool append_artefacts(struct artefact_build *build, struct buf *to, struct err *err) {
        struct published_list list = { 0 };
        if (!file_sums_list(build, &list, err))
                return false;
        for (size_t i = 0; i < list.count; i++) {
                const struct published *file = &list.items[i];
                begin_element(to, i);
                append_json(to, json_pack("{ss ss sI}", "path", file->path, "sha256", file->sha256, "size",
                                          (json_int_t)file->size_bytes));
        }
        published_list_release(&list);
        return true;
}

static void append_packages(const struct package_set *set, struct buf *to) {
        for (size_t i = 0; i < set->count; i++) {
                const struct package *package = set->items[i];
                json_t *object = json_pack(
                    "{ss ss ss ss ss sI sI}", "name", package->name, "nevra", package->nevra, "arch", package->arch,
                    "repository", package->repository->name, package->checksum_type, package->checksum, "size",
                    (json_int_t)package->size_bytes, "installed_size", (json_int_t)package->installed_bytes);
                begin_element(to, i);
                append_json(to, object);
        }
}

// Of the release and the role; boot loaders add what says which machine it is.
static json_t *kernel_argument_list(const struct artefact_build *build, const struct role *role) {
        const struct strings *lists[] = { &build->cluster->release.kernel_arguments, &role->kernel_arguments };
        json_t *list = json_array();
        for (size_t i = 0; i < lengthof(lists); i++)
                for (size_t j = 0; j < lists[i]->count; j++)
                        json_array_append_new(list, json_string(lists[i]->items[j]));
        return list;
}

static bool append_role_object(struct artefact_build *build, const struct artefact_role *role, struct buf *to,
                               struct err *err) {
        auto_buf files = { 0 };
        auto_buf configuration = { 0 };
        if (role->root_sha256[0] && !squashfs_read_files(build, role, &files, err))
                return false;
        if (!file_list_scan(role->config, &configuration, err))
                return wrap(err, "configuration layer of role %s", role->role->name);
        append_json(to, json_string(role->role->name));
        buf_append_text(to, ":{\n\"configuration\":[\n");
        append_file_list(to, &configuration);
        buf_append_text(to, "],\n\"files\":[\n");
        append_file_list(to, &files);
        buf_append_text(to, "],\n\"kernel\":");
        append_json(to, json_pack("{so ss? ss?}", "arguments", kernel_argument_list(build, role->role), "image",
                                  role->kernel_path, "version", role->kernel_version));
        buf_append_text(to, ",\n\"packages\":[");
        append_packages(role->packages, to);
        buf_append_text(to, "],\n\"root\":");
        append_json(to, json_pack("{ss sI}", "sha256", role->root_sha256, "size", (json_int_t)role->root_size_bytes));
        buf_append_char(to, '}');
        return true;
}

static json_t *json_list(const struct strings *strings) {
        json_t *list = json_array();
        if (!strings)
                return list;
        for (size_t i = 0; i < strings->count; i++)
                json_array_append_new(list, json_string(strings->items[i]));
        return list;
}

// What `kiln verify` needs to make the build again.
static void append_origin(const struct artefact_build *build, struct buf *to) {
        buf_append_text(to, ",\n\"format\":1,\n\"inputs\":");
        append_json(to, json_deep_copy(build->inputs));
        buf_append_text(to, ",\n\"options\":");
        append_json(to, json_pack("{ss? so sI so}", "http_base", build->http_base, "only", json_list(build->only),
                                  "serial", (json_int_t)build->serial, "set", json_list(&build->cluster->set)));
}

static json_t *signing_key_name(const struct artefact_build *build) {
        auto_buf fingerprint = { 0 };
        if (build->signer)
                ssh_key_fingerprint(signer_key(build->signer), &fingerprint);
        else if (build->kept && build->kept->signed_by)
                buf_append_text(&fingerprint, build->kept->signed_by);
        if (fingerprint.size == 0)
                return json_null();
        return json_string(buf_text(&fingerprint));
}

static int compare_role_names(const void *left, const void *right) {
        const struct artefact_role *const *a = left, *const *b = right;
        return strcmp((*a)->role->name, (*b)->role->name);
}

static bool append_role_objects(struct artefact_build *build, struct buf *to, struct err *err) {
        auto_free const struct artefact_role **sorted = xcalloc(build->role_count + 1, sizeof *sorted);
        for (size_t i = 0; i < build->role_count; i++)
                sorted[i] = &build->roles[i];
        qsort(sorted, build->role_count, sizeof *sorted, compare_role_names);
        for (size_t i = 0; i < build->role_count; i++) {
                begin_element(to, i);
                if (!append_role_object(build, sorted[i], to, err))
                        return false;
        }
        return true;
}

static bool manifest_write(struct artefact_build *build, struct artefact_role *none, struct err *err) {
        (void)none;
        auto_buf text = { 0 };
        buf_append_text(&text, "{\"artefacts\":[");
        if (!append_artefacts(build, &text, err))
                return false;
        buf_append_text(&text, "],\n\"build\":");
        append_json(&text, json_string(build->build_id));
        buf_append_text(&text, ",\n\"cluster\":");
        append_json(&text, json_string(build->cluster->name));
        append_origin(build, &text);
        buf_append_text(&text, ",\n\"release\":");
        append_json(&text, json_string(build->cluster->release.name));
        buf_append_text(&text, ",\n\"roles\":{");
        if (!append_role_objects(build, &text, err))
                return false;
        buf_append_text(&text, "},\n\"signed_by\":");
        append_json(&text, signing_key_name(build));
        buf_printf(&text, ",\n\"source_date_epoch\":%lld}\n", (long long)build->source_date_epoch);
        if (text.overflow)
                return fail(err, ERR_INTERNAL, 0, "the manifest is too large");
        return fs_write(build->out, MANIFEST_NAME, text.data, text.size, 0644, err);
}

static const char *const needs[] = { "lock", NULL };

const struct artefact_kind manifest_kind = {
        .name = "manifest",
        .needs = needs,
        .description = "every package and every file, with digests",
        .write = manifest_write,
};
