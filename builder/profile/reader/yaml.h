// SPDX-License-Identifier: MIT
// YAML 1.1 (https://yaml.org/spec/1.1/, as libyaml reads it) to a tree of values. One document a file. Anchors,
// aliases and merge keys (<<) work; recursive aliases, tags other than !!str and friends, and keys that are not text
// are refused. Hostile input is bounded: 8 MiB, 48 levels, 500,000 values counted after aliases are expanded.
#ifndef KILN_PROFILE_READER_YAML_H
#define KILN_PROFILE_READER_YAML_H

#include "profile/reader/diagnostics.h"
#include "shared/value.h"

// Parses text. `name` is for places; name and text must live as long as the diagnostics. Mistakes are reported; NULL
// if there is no tree. A tree with duplicate keys is reported and returned, so that the rest of it is checked too.
struct value *yaml_parse(const char *name, const char *text, size_t size, struct arena *arena,
                         struct diagnostics *diagnostics);

// The same for what others than kiln read, too: a tag that is not known, such as Ansible's !vault, means nothing.
struct value *yaml_parse_any_tag(const char *name, const char *text, size_t size, struct arena *arena,
                                 struct diagnostics *diagnostics);

// Reads a regular file into the arena and parses it. `real` is its real path (realpath(3)), `path` what messages call
// it. A file that cannot be read is reported at `from` (may be NULL).
struct value *yaml_load(const char *path, const char *real, const struct place *from, struct arena *arena,
                        struct diagnostics *diagnostics);

#endif
