// SPDX-License-Identifier: MIT
// What stands in tables of the program goes into the pages of the manual from there, so that they cannot disagree.
#ifndef KILN_VERBS_MANUAL_TABLES_H
#define KILN_VERBS_MANUAL_TABLES_H

#include "base/buf.h"
#include "base/err.h"

// Appends the page with its markers replaced, each of which is a line of its own:
//
//     <!-- options -->       the verb's options, in a page kiln-VERB(1); its title gets the verb's summary, and a
//                            synopsis behind it
//     <!-- verbs -->         every verb with its summary
//     <!-- pages N -->       the pages of a section of the manual
//     <!-- exit-codes -->    ERR_KINDS
//     <!-- keys KIND -->     every key of cluster, release or role files
void manual_expand(const char *source, struct buf *ret);

#endif
