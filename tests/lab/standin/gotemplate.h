// SPDX-License-Identifier: MIT
// The subset of Go's text/template (of Go 1.5, which Bamboo 0.2.15 was built with) that HAProxy templates use:
//
//   {{/* comment */}}
//   {{if PIPE}} {{else if PIPE}} {{else}} {{end}}   {{with PIPE}} {{else}} {{end}}
//   {{range PIPE}} {{else}} {{end}}   {{range $value := PIPE}}   {{range $index, $value := PIPE}}
//   {{PIPE}}   {{$name := PIPE}}
//
// PIPE is commands joined by "|", each a function with arguments or one operand: . .Field.Field $name $name.Field
// "text" `text` 12 true false nil (PIPE). Functions: and or not len index eq ne lt le gt ge print printf (%s %d %v %q)
// and Bamboo's hasKey getService Split Contains Join Replace ToUpper ToLower ToInt. Not there, as in Go 1.5: "{{-" and
// "-}}". Not there although Go has them: define, template, method calls, html, js, urlquery, complex numbers.
//
// Data is JSON. An object is a struct, where an unknown field is an error, unless it has the key "" (any value): then
// it is a map, where a missing key is "". Ranges over maps go by sorted key.
#ifndef KILN_STANDIN_GOTEMPLATE_H
#define KILN_STANDIN_GOTEMPLATE_H

#include <jansson.h>

#include "base/buf.h"

// Renders `text`; false with a message "line 12: ..." in `error`.
bool gotemplate_render(const char *text, json_t *data, struct buf *ret, struct buf *error);

#endif
